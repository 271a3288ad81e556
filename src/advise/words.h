// Figures as people read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mayfly::advise {

/// "12 ms", "4.2 s", "40 minutes", "24 h", "3 days"
[[nodiscard]] std::string duration_in_words(double seconds);
/// "38 %", "0.4 %"
[[nodiscard]] std::string share_in_words(double share);
/// "1 request", "20 requests"
[[nodiscard]] std::string count_in_words(std::uint64_t count, std::string_view noun);
/// Two digits that matter: "3.1", "0.012", "120"
[[nodiscard]] std::string number_in_words(double number);
/// "110 MiB", "1.5 GiB"
[[nodiscard]] std::string gib_in_words(double gib);

}  // namespace mayfly::advise
