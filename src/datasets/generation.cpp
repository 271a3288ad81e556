#include "datasets/generation.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "datasets/error.h"

#ifndef MADV_COLLAPSE  // Linux 6.1
#define MADV_COLLAPSE 25
#endif

namespace mayfly::datasets {
namespace {

constexpr std::uint64_t kHugePage = 2ULL << 20U;
constexpr std::uint64_t kStep = 64ULL << 20U;  // of one copy

std::unexpected<Error> no_room(std::uint64_t wanted, std::uint64_t room) {
  auto error = fail(DatasetsErrc::out_of_memory,
                    "it has " + size_in_words(wanted) + ", and there is room for " + size_in_words(room) +
                        ": `mayfly serve --dataset-budget` is what datasets may use together");
  error.error().with("wanted", format_size(wanted)).with("limit", format_size(room));
  return error;
}

/// Appends a file, as far as it goes; gives how far that was.
Result<std::uint64_t> append(int memory, const SourceFile& source, const std::atomic<bool>& stop) {
  std::uint64_t copied = 0;
  while (copied < source.size) {
    if (stop) return fail(DatasetsErrc::source_unreadable, "the daemon is shutting down");
    const auto sent = ::sendfile(memory, source.file.get(), nullptr, std::min(kStep, source.size - copied));
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == ENOSPC || errno == ENOMEM))
      return fail(DatasetsErrc::out_of_memory, "the machine has no memory for it");
    if (sent < 0) {
      auto error =
          fail(DatasetsErrc::source_unreadable, source.path + ": " + std::generic_category().message(errno));
      error.error().with("file", source.path);
      return error;
    }
    if (sent == 0) break;  // it has shrunk
    copied += static_cast<std::uint64_t>(sent);
  }
  return copied;
}

/// A scan of gigabytes by an instance that has just come into existence is otherwise a page fault for each 64
/// KiB. `shmem_enabled` (which is `never` on most machines) does not matter to MADV_COLLAPSE, madvise(2).
bool collapse(int memory, std::uint64_t size, const std::atomic<bool>& stop) {
  const auto whole = size / kHugePage * kHugePage;
  if (whole == 0) return false;
  void* const room = ::mmap(nullptr, whole + kHugePage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) return false;
  auto* const aligned = reinterpret_cast<void*>((reinterpret_cast<std::uintptr_t>(room) + kHugePage - 1) /
                                                kHugePage * kHugePage);
  bool done = ::mmap(aligned, whole, PROT_READ, MAP_SHARED | MAP_FIXED, memory, 0) != MAP_FAILED;
  for (std::uint64_t at = 0; done && !stop && at < whole; at += kHugePage)
    done = ::madvise(static_cast<char*>(aligned) + at, kHugePage, MADV_COLLAPSE) == 0;
  ::munmap(room, whole + kHugePage);
  return done;
}

}  // namespace

Result<Generation> build(const std::string& name, std::vector<SourceFile> files, std::uint64_t room,
                         const std::atomic<bool>& stop) {
  std::uint64_t wanted = 0;
  for (const auto& file : files) {
    // Sizes are what the owner of the folder says: their sum may be more than a number holds.
    if (file.size > room - wanted)
      return no_room(file.size > UINT64_MAX - wanted ? UINT64_MAX : wanted + file.size, room);
    wanted += file.size;
  }
  const Fd memory(::memfd_create(("dataset:" + name).c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory) return fail_errno("memfd_create");
  Generation made;
  made.fingerprint = fingerprint(files);
  for (const auto& file : files) {
    const auto copied = append(memory.get(), file, stop);
    if (!copied) return std::unexpected(copied.error());
    made.parts.push_back({file.path, made.size, *copied});
    made.size += *copied;
  }
  made.huge_pages = collapse(memory.get(), made.size, stop);
  constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (::fcntl(memory.get(), F_ADD_SEALS, kSeals) != 0) return fail_errno("seal a file in memory");
  const auto path = "/proc/self/fd/" + std::to_string(memory.get());
  made.file = Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!made.file) return fail_errno("open a file in memory");
  return made;
}

}  // namespace mayfly::datasets
