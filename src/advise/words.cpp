#include "advise/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace mayfly::advise {

std::string number_in_words(double number) {
  const double size = std::fabs(number);
  if (size == 0) return "0";
  if (size >= 10) return fmt::format("{:.0f}", number);
  const int digits = std::clamp(1 - static_cast<int>(std::floor(std::log10(size))), 0, 9);
  auto text = fmt::format("{:.{}f}", number, digits);
  if (text.contains('.')) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
  }
  return text;
}

std::string duration_in_words(double seconds) {
  if (seconds < 1) return number_in_words(seconds * 1'000) + " ms";
  if (seconds < 120) return number_in_words(seconds) + " s";
  if (seconds < 2 * 3'600) return number_in_words(seconds / 60) + " minutes";
  if (seconds < 2 * 86'400) return number_in_words(seconds / 3'600) + " h";
  return number_in_words(seconds / 86'400) + " days";
}

std::string share_in_words(double share) { return number_in_words(share * 100) + " %"; }

std::string count_in_words(std::uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : noun.ends_with('s') ? "es" : "s");
}

std::string gib_in_words(double gib) {
  return size_in_words(static_cast<std::uint64_t>(std::max(0.0, gib) * 1024 * 1024 * 1024));
}

}  // namespace mayfly::advise
