// Invocations that were sent to an instance and have not begun, and who has them: the daemon may take one
// back until the instance claims it. A page of memory that both share has a word for each; both move it by
// compare-exchange, so that exactly one of them gets an invocation, also when one of them has died.
#pragma once

#include <cstdint>
#include <utility>

#include "base/fd.h"
#include "base/result.h"

namespace mayfly::wire {

/// So many invocations may be offered on one page at once: streams whose slot is below it.
inline constexpr std::uint32_t kMaxOffers = 128;

/// One side's view of a page. Move-only; unmaps the page. What the other side writes is never trusted with
/// more than whose an invocation is: the page cannot shrink, and holds no lengths.
class Offers {
 public:
  /// For the daemon: a new page, and the file (in memory, its size sealed) that the instance opens it by.
  [[nodiscard]] static Result<std::pair<Offers, Fd>> create();
  /// For the instance. The file may be closed then.
  [[nodiscard]] static Result<Offers> open(const Fd& file);

  Offers(Offers&& other) noexcept : page_(std::exchange(other.page_, nullptr)) {}
  Offers& operator=(Offers&& other) noexcept {
    std::swap(page_, other.page_);
    return *this;
  }
  Offers(const Offers&) = delete;
  Offers& operator=(const Offers&) = delete;
  ~Offers();

  // --- The daemon's side. `stream` is the stream's number, generation included.
  /// Before it is sent.
  void offer(std::uint32_t stream);
  /// True: it has not begun, and never will. False: it has begun, or was never offered.
  [[nodiscard]] bool take_back(std::uint32_t stream);
  /// Whether it still can be taken back, at this moment.
  [[nodiscard]] bool offered(std::uint32_t stream) const;
  /// When the last one in this stream's slot began, as its instance says it (CLOCK_MONOTONIC, in ns); 0: not
  /// yet said.
  [[nodiscard]] std::uint64_t begun_at(std::uint32_t stream) const;

  // --- The instance's side.
  /// Before anything of it runs. False: it was taken back; forget it.
  [[nodiscard]] bool claim(std::uint32_t stream, std::uint64_t now);

 private:
  struct Page;
  explicit Offers(Page* page) : page_(page) {}
  static Result<Offers> map(int file);
  Page* page_;
};

}  // namespace mayfly::wire
