// Where code is: a stack as addresses, and as names, files and lines. Made for processes that are about to
// end by a signal: nothing here allocates, and what can go wrong (corrupt stacks, no addr2line) only makes
// the text shorter.
#pragma once

#include <ucontext.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mayfly::native {

/// Return addresses less one, so that each lies inside its call; the innermost first.
struct Trace {
  static constexpr std::size_t kMost = 48;
  std::array<std::uintptr_t, kMost> frames{};
  std::size_t count = 0;
};

/// What belongs to the user: frames in files below this folder are given with file and line. Kept by
/// reference.
void set_trace_root(const char* folder);
/// Looks for what is needed later, and loads it: call once, early.
void prepare_traces();

/// The calls that led here, beginning with the innermost one of user code.
[[nodiscard]] Trace trace_here();
/// The calls that led to where the signal struck, beginning there.
[[nodiscard]] Trace trace_of(const ucontext_t& context);

/// "    at scale(Image const&) (resize.cpp:12)", a line for each call down to the handler. In a buffer of its
/// own, valid until the next call. Starts addr2line (binutils) where it is installed, and waits at most 3 s
/// for it.
[[nodiscard]] std::string_view describe(const Trace& trace);

/// Text that is cut when it is full.
template <std::size_t N>
class FixedText {
 public:
  FixedText& operator+=(std::string_view text) {
    for (const char c : text.substr(0, N - size_)) text_[size_++] = c;
    return *this;
  }
  FixedText& hex(std::uintptr_t value) {
    std::array<char, 16> digits{};
    std::size_t at = digits.size();
    do digits[--at] = "0123456789abcdef"[value % 16];
    while ((value /= 16) != 0);
    *this += "0x";
    return *this += std::string_view(digits.data() + at, digits.size() - at);
  }
  void clear() { size_ = 0; }
  [[nodiscard]] std::string_view view() const { return {text_.data(), size_}; }

 private:
  std::array<char, N> text_{};
  std::size_t size_ = 0;
};

}  // namespace mayfly::native
