// What a dataset holds at one time: a file in memory that never changes any more.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "datasets/source.h"

namespace mayfly::datasets {

/// One of the files that a generation was made of. They lie one behind the other, with nothing between them.
struct Part {
  std::string name;          ///< its path, or what the uploader called it
  std::uint64_t offset = 0;  ///< bytes from the beginning of the dataset
  std::uint64_t size = 0;    ///< bytes
};

/// Thread-safe, since it never changes. Its memory is given back when the last descriptor and the last
/// mapping of its file are gone: instances that have it keep it for as long as they live.
struct Generation {
  std::uint64_t number = 1;  ///< counts up with each that the dataset has had
  Fd file;                 ///< open for reading, sealed against every change (F_SEAL_WRITE, F_SEAL_SHRINK, …)
  std::uint64_t size = 0;  ///< bytes
  std::vector<Part> parts;
  std::string fingerprint;  ///< of its sources
  WallTime loaded{};
  bool huge_pages = false;  ///< it lies in pages of 2 MiB, as far as it fills them
};
using GenerationPtr = std::shared_ptr<const Generation>;

/// Copies files into memory. They are read and never mapped, so that one that shrinks meanwhile ends where it
/// ends, and nobody meets a page that is not there any more (SIGBUS). What is appended meanwhile is not
/// taken. On any thread but one that must not wait: it reads as much as there is. Errors: out_of_memory, if
/// they have more than `room` bytes, or the machine has not; source_unreadable.
[[nodiscard]] Result<Generation> build(const std::string& name, std::vector<SourceFile> files,
                                       std::uint64_t room, const std::atomic<bool>& stop);

}  // namespace mayfly::datasets
