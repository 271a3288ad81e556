#include "gateway/response_head.h"

#include <algorithm>
#include <array>
#include <boost/beast/http/status.hpp>
#include <charconv>
#include <ctime>
#include <ostream>

namespace mayfly::gateway {
namespace {

bool is_token(std::string_view name) {
  static constexpr auto kTable = [] {
    std::array<bool, 256> table{};
    for (const char c :
         std::string_view("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
      table[static_cast<unsigned char>(c)] = true;
    return table;
  }();
  return !name.empty() &&
         std::ranges::all_of(name, [](char c) { return kTable[static_cast<unsigned char>(c)]; });
}

bool is_value(std::string_view value) {
  return std::ranges::all_of(
      value, [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f); });
}

bool equals(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() && std::ranges::equal(text, lower, [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
         });
}

bool is_hop_by_hop(std::string_view name) {
  static constexpr std::array kNames{"connection", "keep-alive",        "proxy-connection", "te",
                                     "trailer",    "transfer-encoding", "upgrade"};
  return std::ranges::any_of(kNames, [&](const char* hop) { return equals(name, hop); });
}

void append_number(std::string& out, std::uint64_t value) {
  std::array<char, 24> text;
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  out.append(text.data(), end);
}

/// Microseconds as milliseconds with three places: 1234 → 1.234
void append_milliseconds(std::string& out, std::int64_t us) {
  us = std::max<std::int64_t>(us, 0);
  append_number(out, static_cast<std::uint64_t>(us / 1000));
  const auto rest = static_cast<int>(us % 1000);
  const std::array<char, 4> places{'.', static_cast<char>('0' + rest / 100),
                                   static_cast<char>('0' + rest / 10 % 10),
                                   static_cast<char>('0' + rest % 10)};
  out.append(places.data(), places.size());
}

void append_status_line(std::string& out, unsigned status) {
  out += "HTTP/1.1 ";
  append_number(out, status);
  out += ' ';
  const auto reason = boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
  out.append(reason.data(), reason.size());
  out += "\r\n";
}

/// What the function's own fields say that matters to framing.
struct Seen {
  std::optional<std::uint64_t> content_length;
  bool date = false;
  bool bad = false;
};

Seen append_fields(std::string& out, std::string_view headers) {
  Seen seen;
  while (!headers.empty() && !seen.bad) {
    const auto name = headers.substr(0, headers.find('\0'));
    headers.remove_prefix(std::min(headers.size(), name.size() + 1));
    const auto value = headers.substr(0, headers.find('\0'));
    headers.remove_prefix(std::min(headers.size(), value.size() + 1));
    if (!is_token(name) || !is_value(value)) {
      seen.bad = true;
    } else if (equals(name, "content-length")) {
      std::uint64_t length = 0;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
      if (error != std::errc{} || end != value.data() + value.size()) seen.bad = true;
      if (seen.content_length && *seen.content_length != length) seen.bad = true;
      seen.content_length = length;
    } else if (!is_hop_by_hop(name)) {
      if (equals(name, "date")) seen.date = true;
      out.append(name).append(": ").append(value).append("\r\n");
    }
  }
  return seen;
}

}  // namespace

std::string_view http_date() {
  static thread_local std::time_t made = 0;
  static thread_local std::array<char, 40> text{};
  static thread_local std::size_t length = 0;
  const std::time_t now = std::time(nullptr);
  if (now != made) {
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    // Names in English whatever the locale: the daemon never sets one.
    length = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc);
    made = now;
  }
  return {text.data(), length};
}

std::optional<ResponseHead> append_response_head(std::string& out, const ResponseFacts& facts) {
  if (facts.status < 200 || facts.status > 599) return std::nullopt;
  const std::size_t begin = out.size();
  append_status_line(out, facts.status);
  const Seen seen = append_fields(out, facts.headers);
  if (seen.bad) {
    out.resize(begin);
    return std::nullopt;
  }
  append_fields(out, facts.more);
  ResponseHead head;
  const bool bodiless = facts.status == 204 || facts.status == 304;
  if (bodiless || facts.head_request) {
    head.framing = Framing::none;
    const auto length = seen.content_length ? seen.content_length : facts.whole_length;
    // A HEAD answer names the length that a GET would have; 304 may, if the function said so; 204 must not.
    if (facts.status != 204 && length && (facts.status != 304 || seen.content_length))
      if (*length > 0 || seen.content_length || !facts.head_request) {
        out += "content-length: ";
        append_number(out, *length);
        out += "\r\n";
      }
  } else if (facts.whole_length || seen.content_length) {
    head.framing = Framing::length;
    head.length = facts.whole_length ? *facts.whole_length : *seen.content_length;
    out += "content-length: ";
    append_number(out, head.length);
    out += "\r\n";
  } else if (facts.http_1_0) {
    head.framing = Framing::until_close;
  } else {
    head.framing = Framing::chunked;
    out += "transfer-encoding: chunked\r\n";
  }
  if (!seen.date) out.append("date: ").append(facts.date).append("\r\n");
  const bool close = !facts.keep_alive || head.framing == Framing::until_close;
  if (close)
    out += "connection: close\r\n";
  else if (facts.http_1_0)
    out += "connection: keep-alive\r\n";
  out.append("mayfly-invocation: ").append(facts.invocation);
  out += "\r\nserver-timing: queue;dur=";
  append_milliseconds(out, facts.queue_us);
  out += ", start;dur=";
  append_milliseconds(out, facts.start_us);
  out += ", run;dur=";
  append_milliseconds(out, facts.run_us);
  out += "\r\n\r\n";
  return head;
}

}  // namespace mayfly::gateway
