#include "daemon/upstream_request.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/ascii.h"
#include "base/fields.h"
#include "base/text.h"

namespace mayfly::daemon {
namespace {

/// Fields that are about one connection.
constexpr std::array<std::string_view, 8> kHopByHop{
    "connection",          "keep-alive", "proxy-connection", "proxy-authenticate",
    "proxy-authorization", "te",         "trailer",          "upgrade"};
/// Those that are made anew for the upstream.
constexpr std::array<std::string_view, 7> kMadeAnew{
    "host",   "x-forwarded-for",   "x-forwarded-host", "forwarded",
    "expect", "x-forwarded-proto", "transfer-encoding"};

bool is_one_of(std::string_view name, const auto& names) {
  return std::ranges::find(names, name) != names.end();
}

/// What `Connection` names besides.
std::vector<std::string> named_by_connection(std::string_view fields) {
  std::vector<std::string> names;
  for_each_field(fields, [&](std::string_view name, std::string_view value) {
    if (lower(name) != "connection") return;
    while (!value.empty()) {
      auto one = value.substr(0, value.find(','));
      value.remove_prefix(std::min(value.size(), one.size() + 1));
      while (one.starts_with(' ')) one.remove_prefix(1);
      while (one.ends_with(' ')) one.remove_suffix(1);
      if (!one.empty()) names.push_back(lower(one));
    }
  });
  return names;
}

/// `list`, or nothing, with one more.
std::string with_one_more(const std::string& list, const std::string& one) {
  return list.empty() ? one : list + ", " + one;
}

/// What the client said of where it comes from, as far as it said something.
struct Said {
  std::string host{};
  std::string forwarded_for{};
  std::string forwarded{};
};

/// An address as Forwarded has it: IPv6 in quotes and brackets.
std::string node_of(std::string_view address) {
  const std::string text(address);
  return text.contains(':') ? "\"[" + text + "]\"" : text;
}

std::string quoted(const std::string& text) {
  const auto is_token = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_';
  };
  if (!text.empty() && std::ranges::all_of(text, is_token)) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

void append_forwarded(std::string& fields, const Said& said, const pool::Invocation& invocation) {
  const std::string proto(invocation.scheme);
  if (!invocation.remote.empty()) {
    append_field(fields, "x-forwarded-for",
                 with_one_more(said.forwarded_for, std::string(invocation.remote)));
    auto element = "for=" + node_of(invocation.remote);
    if (!said.host.empty()) element += ";host=" + quoted(said.host);
    append_field(fields, "forwarded", with_one_more(said.forwarded, element + ";proto=" + proto));
  }
  if (!said.host.empty()) append_field(fields, "x-forwarded-host", said.host);
  append_field(fields, "x-forwarded-proto", proto);
}

std::string joined(const std::string& url, std::string_view target) {
  std::string_view base = url;
  while (base.ends_with('/')) base.remove_suffix(1);
  std::string whole(base);
  if (!target.starts_with('/')) whole += '/';
  return whole.append(target.substr(0, target.find('#')));
}

}  // namespace

outbound::Request upstream_request(const pool::Invocation& invocation, const std::string& url) {
  outbound::Request request;
  request.method = invocation.method;
  request.url = joined(url, invocation.target);
  request.body_complete = invocation.body_complete;
  const auto dropped = named_by_connection(invocation.headers);
  Said said;
  for_each_field(invocation.headers, [&](std::string_view name, std::string_view value) {
    if (name == "host") said.host = value;
    if (name == "x-forwarded-for") said.forwarded_for = with_one_more(said.forwarded_for, std::string(value));
    if (name == "forwarded") said.forwarded = with_one_more(said.forwarded, std::string(value));
    if (name == "content-length") {
      const auto length = parse_integer(value);
      if (length && *length >= 0) request.length = static_cast<std::uint64_t>(*length);
      return;
    }
    if (is_one_of(name, kHopByHop) || is_one_of(name, kMadeAnew) || is_one_of(name, dropped)) return;
    append_field(request.fields, name, value);
  });
  append_forwarded(request.fields, said, invocation);
  return request;
}

std::string end_to_end_fields(std::string_view fields) {
  const auto dropped = named_by_connection(fields);
  std::string kept;
  for_each_field(fields, [&](std::string_view name, std::string_view value) {
    if (!is_one_of(name, kHopByHop) && !is_one_of(name, dropped) && name != "transfer-encoding")
      append_field(kept, name, value);
  });
  return kept;
}

}  // namespace mayfly::daemon
