#include <mayfly.h>

#include <charconv>

#include "easter.h"

mayfly::Response answer(const mayfly::Request& request) {
  const auto text = request.path().substr(1);
  int year = 0;
  std::from_chars(text.data(), text.data() + text.size(), year);
  if (year < 1583) return {404, "no such year\n"};
  const auto [month, day] = easter(year);
  return {200, std::to_string(day) + "." + std::to_string(month) + "." + std::to_string(year) + "\n"};
}
MAYFLY_HANDLER(answer)
