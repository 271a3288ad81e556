#include "wire/call.h"

#include <algorithm>
#include <array>

#include "wire/reader.h"

namespace mayfly::wire {
namespace {

/// The characters of a token (RFC 9110, section 5.6.2), `upper`: capital letters too.
bool is_token(std::string_view text, bool upper) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    if (c >= 'A' && c <= 'Z') return upper;
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || kOthers.contains(c);
  });
}

bool is_field_value(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

/// Takes a text that NUL ends off the front; nothing when no NUL follows.
std::optional<std::string_view> take(std::string_view& rest) {
  const auto end = rest.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  const auto text = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return text;
}

bool are_headers(std::string_view rest) {
  while (!rest.empty()) {
    const auto name = take(rest);
    const auto value = name ? take(rest) : std::nullopt;
    if (!value || !is_token(*name, false) || !is_field_value(*value)) return false;
  }
  return true;
}

void append_without_nul(std::string& out, std::string_view text) {
  std::ranges::copy_if(text, std::back_inserter(out), [](char c) { return c != '\0'; });
  out.push_back('\0');
}

}  // namespace

void append_call_head(std::string& out, const CallHead& head) {
  put(out, head.caller);
  for (const auto text : {head.name, head.method, head.target, head.headers}) put_text(out, text);
}

std::optional<CallHead> parse_call_head(const Frame& frame, std::string_view& rest) {
  if (frame.aux < static_cast<std::uint32_t>(CallKind::invoke) ||
      frame.aux > static_cast<std::uint32_t>(CallKind::publish))
    return std::nullopt;
  Reader reader(frame.payload);
  CallHead head;
  head.kind = static_cast<CallKind>(frame.aux);
  head.caller = reader.number<std::uint32_t>();
  for (auto* text : {&head.name, &head.method, &head.target, &head.headers}) *text = reader.text();
  if (!reader.ok()) return std::nullopt;
  rest = reader.rest();
  return head;
}

std::string_view problem_with(const CallHead& head) {
  if (head.method.size() > kMaxCallMethod || !is_token(head.method, true)) return "its method is not one";
  if (head.target.size() > kMaxCallTarget) return "its target is longer than 64 KiB";
  const bool plain = std::ranges::none_of(
      head.target, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f || c == '#'; });
  if (!head.target.starts_with('/') || !plain) return "its target is not a path with a query";
  if (head.headers.size() > kMaxCallHeaders) return "its headers are longer than 128 KiB";
  if (!are_headers(head.headers)) return "its headers are not valid HTTP";
  return {};
}

CallErrorWriter::CallErrorWriter(std::string& out, std::string_view type, std::string_view message)
    : out_(out) {
  append_without_nul(out_, type);
  append_without_nul(out_, message);
}

void CallErrorWriter::detail(std::string_view name, std::string_view value) {
  append_without_nul(out_, name);
  append_without_nul(out_, value);
}

std::optional<CallError> parse_call_error(std::string_view payload) {
  const auto type = take(payload);
  const auto message = type ? take(payload) : std::nullopt;
  if (!message || std::ranges::count(payload, '\0') % 2 != 0) return std::nullopt;
  if (!payload.empty() && payload.back() != '\0') return std::nullopt;
  return CallError{*type, *message, payload};
}

}  // namespace mayfly::wire
