#include "admin/message.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "admin/errors.h"
#include "problem/problem.h"

namespace mayfly::admin {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<std::string> Request::query_value(std::string_view name) const {
  const auto found =
      std::ranges::find(query, name, [](const auto& pair) { return std::string_view(pair.first); });
  if (found == query.end()) return std::nullopt;
  return found->second;
}

bool Request::query_flag(std::string_view name) const {
  const auto value = query_value(name);
  return value && (value->empty() || *value == "1" || *value == "true");
}

Result<std::size_t> Request::query_number(std::string_view name, std::size_t otherwise,
                                          std::size_t max) const {
  const auto value = query_value(name);
  if (!value) return otherwise;
  std::size_t number = 0;
  const char* end = value->data() + value->size();
  const auto [stop, error] = std::from_chars(value->data(), end, number);
  if (error != std::errc{} || stop != end || value->empty() || number > max)
    return fail(AdminErrc::invalid_parameter,
                std::string(name) + " must be a whole number from 0 to " + std::to_string(max));
  return number;
}

Response json_response(const nlohmann::json& value, unsigned status) {
  return {.status = status,
          .body = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"};
}

Response problem_response(const Error& error) {
  return {.status = problem::status(error.code),
          .content_type = std::string(problem::kMediaType),
          .body = problem::document(error, problem::Audience::developer, error.detail("invocation")) + "\n"};
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_blank) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i] == '+' && plus_is_blank ? ' ' : text[i];
    }
  }
  return out;
}

Result<Query> parse_query(std::string_view text) {
  Query query;
  while (!text.empty()) {
    const auto end = text.find('&');
    const auto pair = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    auto key = percent_decode(pair.substr(0, equals), true);
    auto value = percent_decode(equals == std::string_view::npos ? "" : pair.substr(equals + 1), true);
    if (!key || !value)
      return fail(AdminErrc::invalid_parameter, "the query has a broken %-escape: " + std::string(pair));
    query.emplace_back(std::move(*key), std::move(*value));
  }
  return query;
}

}  // namespace mayfly::admin
