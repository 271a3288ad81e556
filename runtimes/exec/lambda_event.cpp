#include "exec/lambda_event.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>
#include <regex>
#include <vector>

#include "bridge/connection.h"
#include "exec/base64.h"
#include "exec/headers.h"

namespace mayfly::exec {
namespace {

using nlohmann::json;

/// "12/Mar/2020:19:03:58 +0000"
std::string clf_time(std::time_t seconds) {
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 40> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%d/%b/%Y:%H:%M:%S +0000", &utc)};
}

void add_to(json& object, const std::string& name, std::string_view separator, std::string_view value) {
  const auto found = object.find(name);
  if (found == object.end())
    object[name] = value;
  else
    found->get_ref<std::string&>().append(separator).append(value);
}

void add_headers(json& event, std::string_view fields) {
  json headers = json::object();
  json cookies = json::array();
  std::string_view name;
  std::string_view value;
  while (take_field(fields, name, value)) {
    add_to(headers, std::string(name), name == "cookie" ? "; " : ",", value);
    if (name != "cookie") continue;
    while (!value.empty()) {
      const auto one = trim(value.substr(0, value.find(';')));
      if (!one.empty()) cookies.push_back(one);
      value.remove_prefix(std::min(value.size(), std::min(value.find(';'), value.size() - 1) + 1));
    }
  }
  event["headers"] = std::move(headers);
  if (!cookies.empty()) event["cookies"] = std::move(cookies);
}

json query_of(std::string_view text) {
  json query = json::object();
  std::string name;
  std::string value;
  while (take_pair(text, name, value)) add_to(query, name, ",", value);
  return query;
}

bool is_text(std::string_view fields, std::string_view body) {
  static const std::regex kText(
      "^(text/|application/"
      "(json|javascript|xml|graphql|x-ndjson|x-www-form-urlencoded)\\b|[^;]*\\+(json|xml)\\b)",
      std::regex::icase | std::regex::optimize);
  const auto encoding = bridge::header_value(fields, "content-encoding");
  if (!encoding.empty() && encoding != "identity") return false;
  const std::string type(bridge::header_value(fields, "content-type").substr(0, 200));
  const auto lower = lower_case(type);
  const bool named = type.empty() || std::regex_search(type, kText) || lower.contains("charset=utf-8") ||
                     lower.contains("charset=utf8");
  return named && is_utf8_text(body, false);
}

/// A value of JSON as it stands in a header: strings without their quotes.
std::string plain(const json& value) {
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// A claim as API Gateway gives it: a text, a list as "[a b]".
std::string claim_text(const json& value) {
  if (!value.is_array()) return plain(value);
  std::string text;
  for (const auto& one : value) text.append(text.empty() ? "" : " ").append(claim_text(one));
  return "[" + text + "]";
}

void add_scopes(json& scopes, const json& value) {
  const auto add = [&](const json& scope) {
    if (std::ranges::find(scopes, scope) == scopes.end()) scopes.push_back(scope);
  };
  if (value.is_array())
    for (const auto& scope : value)
      if (scope.is_string()) add(scope);
  std::string_view rest = value.is_string() ? value.get_ref<const std::string&>() : std::string_view{};
  while (!rest.empty()) {
    const auto scope = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(rest.size(), scope.size() + 1));
    if (!scope.empty()) add(scope);
  }
}

/// What the platform has verified of the caller's token; only it can set this header.
void add_authorizer(json& event, std::string_view fields) {
  const auto encoded = bridge::header_value(fields, "mayfly-jwt-claims");
  const auto token = json::parse(base64_decode(encoded), nullptr, false);
  if (!token.is_object()) return;
  json claims = json::object();
  for (const auto& [name, value] : token.items()) claims[name] = claim_text(value);
  json scopes = json::array();
  for (const char* name : {"scope", "scp"}) add_scopes(scopes, token.value(name, json()));
  if (scopes.empty()) scopes = nullptr;
  event["requestContext"]["authorizer"]["jwt"] = {{"claims", std::move(claims)},
                                                  {"scopes", std::move(scopes)}};
}

void add_body(json& event, std::string_view fields, std::string_view body) {
  event["isBase64Encoded"] = false;
  if (body.empty()) return;
  const bool text = is_text(fields, body);
  event["isBase64Encoded"] = !text;
  event["body"] = text ? std::string(body) : base64_encode(body);
}

std::unexpected<Error> bad_answer(std::string message) {
  return fail(std::make_error_code(std::errc::invalid_argument), std::move(message));
}

Result<void> add_header(std::string& headers, const std::string& name, const std::string& value) {
  if (!is_token(name) || !is_field_value(value))
    return bad_answer("the header '" + name.substr(0, 100) +
                      "' of the answer is not valid (a line break in it?)");
  append_field(headers, name, value);
  return {};
}

Result<void> add_header(std::string& headers, const std::string& name, const json& value) {
  if (value.is_null()) return {};
  if (!value.is_array()) return add_header(headers, name, plain(value));
  for (const auto& one : value)
    if (auto added = add_header(headers, name, plain(one)); !added) return added;
  return {};
}

/// headers, multiValueHeaders (which win) and cookies.
Result<std::string> headers_of(const json& answer) {
  std::string headers;
  const auto several = answer.value("multiValueHeaders", json());
  const auto single = answer.value("headers", json());
  std::vector<std::string> names;
  if (several.is_object())
    for (const auto& [name, values] : several.items()) names.push_back(lower_case(name));
  if (single.is_object())
    for (const auto& [name, value] : single.items())
      if (std::ranges::find(names, lower_case(name)) == names.end())
        if (auto added = add_header(headers, name, value); !added) return propagate(added);
  if (several.is_object())
    for (const auto& [name, values] : several.items())
      if (auto added = add_header(headers, name, values); !added) return propagate(added);
  if (auto added = add_header(headers, "set-cookie", answer.value("cookies", json())); !added)
    return propagate(added);
  return headers;
}

Result<std::uint32_t> status_of(const json& value) {
  std::int64_t status = 0;
  if (value.is_number()) status = static_cast<std::int64_t>(value.get<double>());
  if (value.is_string()) status = std::strtol(value.get_ref<const std::string&>().c_str(), nullptr, 10);
  if (status < 200 || status > 599)
    return bad_answer("the function returned statusCode " + plain(value) +
                      "; it must be between 200 and 599");
  return static_cast<std::uint32_t>(status);
}

Result<LambdaAnswer> head_of(const json& returned) {
  LambdaAnswer answer;
  const auto status = status_of(returned.value("statusCode", json(200)));
  if (!status) return std::unexpected(status.error());
  answer.status = *status;
  auto headers = headers_of(returned);
  if (!headers) return propagate(headers);
  answer.headers = std::move(*headers);
  return answer;
}

}  // namespace

std::string event_of(const wire::InvokeHead& head, std::string_view body) {
  const auto question = head.target.find('?');
  const auto path = head.target.substr(0, question);
  const auto query =
      question == std::string_view::npos ? std::string_view{} : head.target.substr(question + 1);
  const auto now = std::chrono::system_clock::now();
  const auto host = bridge::header_value(head.headers, "host");
  const auto domain = host.empty() ? std::string_view("localhost") : host;
  const auto route = bridge::header_value(head.headers, "mayfly-route");
  const auto route_key = route.empty() ? std::string_view("$default") : route;
  const auto parameters = bridge::header_value(head.headers, "mayfly-path-parameters");
  json event{{"version", "2.0"}, {"routeKey", route_key}, {"rawPath", path}, {"rawQueryString", query}};
  add_headers(event, head.headers);
  event["requestContext"] = {
      {"accountId", "anonymous"},
      {"apiId", "mayfly"},
      {"domainName", domain},
      {"domainPrefix", domain.substr(0, domain.find('.'))},
      {"http",
       {{"method", head.method},
        {"path", path},
        {"protocol", "HTTP/1.1"},
        {"sourceIp", head.remote},
        {"userAgent", bridge::header_value(head.headers, "user-agent")}}},
      {"requestId", head.invocation},
      {"routeKey", route_key},
      {"stage", "$default"},
      {"time", clf_time(std::chrono::system_clock::to_time_t(now))},
      {"timeEpoch", std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count()}};
  add_authorizer(event, head.headers);
  if (!parameters.empty()) event["pathParameters"] = query_of(parameters);
  if (!query.empty()) event["queryStringParameters"] = query_of(query);
  add_body(event, head.headers, body);
  return event.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<LambdaAnswer> answer_of(std::string_view returned) {
  auto document = json::parse(returned, nullptr, false);
  LambdaAnswer answer;
  if (document.is_discarded()) {
    append_field(answer.headers, "content-type",
                 is_utf8_text(returned, false) ? "text/plain; charset=utf-8" : "application/octet-stream");
    answer.body = returned;
    return answer;
  }
  if (!document.is_object() || !document.contains("statusCode") || document["statusCode"].is_null()) {
    append_field(answer.headers, "content-type", "application/json");
    answer.body = document.is_string() ? document.get<std::string>() : std::string(returned);
    return answer;
  }
  auto head = head_of(document);
  if (!head) return head;
  answer = std::move(*head);
  const auto body = document.find("body");
  if (body == document.end() || body->is_null()) return answer;
  answer.body = plain(*body);
  if (document.value("isBase64Encoded", json(false)) == json(true)) {
    if (!is_base64(answer.body))
      return bad_answer("the answer has isBase64Encoded, but its body is not Base64");
    answer.body = base64_decode(answer.body);
  }
  if (!has_field(answer.headers, "content-type"))
    append_field(answer.headers, "content-type", "text/plain;charset=utf-8");
  return answer;
}

Result<LambdaAnswer> prelude_of(std::string_view text) {
  const auto document = json::parse(text, nullptr, false);
  if (!document.is_object()) return bad_answer("the prelude of the streamed answer is not a JSON object");
  auto answer = head_of(document);
  if (answer && !has_field(answer->headers, "content-type"))
    append_field(answer->headers, "content-type", "application/octet-stream");
  return answer;
}

std::string trace_of(std::string_view headers) {
  const auto own = bridge::header_value(headers, "x-amzn-trace-id");
  if (!own.empty()) return std::string(own);
  // https://www.w3.org/TR/trace-context: 00-<32 digits>-<16 digits>-<2 digits>
  const std::string parent(bridge::header_value(headers, "traceparent"));
  if (parent.size() < 55 || parent[2] != '-' || parent[35] != '-' || parent[52] != '-') return {};
  const bool sampled = (std::strtol(parent.substr(53, 2).c_str(), nullptr, 16) & 1) != 0;
  return "Root=1-" + parent.substr(3, 8) + "-" + parent.substr(11, 24) + ";Parent=" + parent.substr(36, 16) +
         ";Sampled=" + (sampled ? "1" : "0");
}

}  // namespace mayfly::exec
