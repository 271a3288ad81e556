#include "problem/problem.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

namespace mayfly::problem {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 6> kDeveloperOnly{"column", "file", "line", "logs", "source", "stack"};
constexpr std::array<std::string_view, 3> kNumbers{"column", "exitCode", "line"};
/// The document's own, and what is a field of the answer.
constexpr std::array<std::string_view, 9> kReserved{"type",        "title",
                                                    "status",      "detail",
                                                    "instance",    "www-authenticate",
                                                    "retry-after", "ratelimit-policy",
                                                    "ratelimit"};

bool contains(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

Json lines(std::string_view text) {
  Json array = Json::array();
  while (!text.empty()) {
    const auto end = text.find('\n');
    array.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return array;
}

Json value_of(std::string_view name, std::string_view text) {
  if (name == "logs" || name == "keep" || name == "warnings") return lines(text);
  if (contains(kNumbers, name)) {
    long number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc{} && end == text.data() + text.size()) return number;
  }
  return text;
}

}  // namespace

std::string type(const std::error_code& code) {
  const Row& found = row(code);
  return std::string("urn:mayfly:").append(found.module).append(":").append(found.slug);
}

std::string name(const std::error_code& code) {
  return std::string(code.category().name()) + ":" + code.message();
}

std::string document(const Error& error, Audience audience, std::string_view invocation) {
  const Row& found = row(error.code);
  const bool developer = audience == Audience::developer;
  Json json;
  json["type"] = type(error.code);
  json["title"] = found.title;
  json["status"] = found.status;
  if (developer || found.message == Message::open) json["detail"] = error.message;
  if (!invocation.empty()) json["invocation"] = invocation;
  for (const auto& [name, text] : error.details) {
    if (contains(kReserved, name) || (!developer && contains(kDeveloperOnly, name))) continue;
    json[name] = value_of(name, text);
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace mayfly::problem
