// An HTTP request as the event that a Lambda handler expects: API Gateway's payload format 2.0.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <ctime>
#include <functional>
#include <unordered_map>

#include "invocation.h"
#include "percent.h"
#include "server.h"

namespace mayfly::python {
namespace {

constexpr std::size_t kMostNames = 256;  // header names that are kept

struct Hash : std::hash<std::string_view> {
  using is_transparent = void;
};

/// A header's name as an interned str: most requests have the same ones.
Ref name_text(std::string_view name) {
  static auto* known = new std::unordered_map<std::string, Ref, Hash, std::equal_to<>>;
  if (const auto found = known->find(name); found != known->end()) return Ref::to(found->second.get());
  Ref text = latin1(name);
  if (text && known->size() < kMostNames && name.size() < 64) {
    PyObject* interned = text.release();
    PyUnicode_InternInPlace(&interned);
    text = Ref(interned);
    known->emplace(name, Ref::to(interned));
  }
  return text;
}

/// dict[key] = value, joined to what is there already.
bool put_joined(PyObject* dict, const Ref& key, Ref value, const char* separator) {
  if (!key || !value) return false;
  PyObject* before = PyDict_GetItemWithError(dict, key.get());
  if (before == nullptr) return PyErr_Occurred() == nullptr && put(dict, key.get(), std::move(value));
  return put(dict, key.get(), Ref(PyUnicode_FromFormat("%U%s%U", before, separator, value.get())));
}

bool append_cookies(PyObject* list, std::string_view value) {
  while (!value.empty()) {
    const auto cookie = value.substr(0, value.find(';'));
    value.remove_prefix(std::min(value.size(), cookie.size() + 1));
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    if (cookie.empty()) continue;
    const Ref text = latin1(cookie);
    if (!text || PyList_Append(list, text.get()) != 0) return false;
  }
  return true;
}

Ref query_of(std::string_view query) {
  Ref dict(PyDict_New());
  while (dict && !query.empty()) {
    const auto part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), part.size() + 1));
    if (part.empty()) continue;
    const auto equal = std::min(part.find('='), part.size());
    const auto value = part.substr(std::min(equal + 1, part.size()));
    if (!put_joined(dict.get(), utf8(percent_decoded(part.substr(0, equal), true)),
                    utf8(percent_decoded(value, true)), ","))
      return {};
  }
  return dict;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

bool is_text_type(std::string_view content_type) {
  const auto all = lower(content_type);
  const auto type = std::string_view(all).substr(0, all.find_first_of("; "));
  static constexpr std::array kTypes{"application/json",     "application/javascript",
                                     "application/xml",      "application/graphql",
                                     "application/x-ndjson", "application/x-www-form-urlencoded"};
  return type.empty() || type.starts_with("text/") || type.ends_with("+json") || type.ends_with("+xml") ||
         std::ranges::find(kTypes, type) != kTypes.end() || all.find("charset=utf") != std::string::npos;
}

bool put_body(PyObject* event, const Invocation& invocation, PyObject* body) {
  const auto& n = names();
  const auto encoding = bridge::header_value(invocation.head.headers, "content-encoding");
  if ((encoding.empty() || encoding == "identity") &&
      is_text_type(bridge::header_value(invocation.head.headers, "content-type"))) {
    const auto text = view(body);
    Ref decoded(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "strict"));
    if (decoded) return put(event, n.body, std::move(decoded));
    PyErr_Clear();
  }
  Ref encoded(PyObject_CallFunctionObjArgs(invocation.server.hook(Hook::base64_encode), body, nullptr));
  return put(event, n.body, std::move(encoded)) && put(event, n.isBase64Encoded, Ref(boolean(true)));
}

/// What the platform has verified of the caller's token; only it can set this header.
bool put_authorizer(PyObject* context, const Invocation& invocation) {
  const auto claims = bridge::header_value(invocation.head.headers, "mayfly-jwt-claims");
  if (claims.empty()) return true;
  const Ref key(PyUnicode_FromString("authorizer"));
  const Ref text = latin1(claims);
  if (!key || !text) return false;
  return put(
      context, key.get(),
      Ref(PyObject_CallFunctionObjArgs(invocation.server.hook(Hook::authorizer), text.get(), nullptr)));
}

/// "12/Mar/2020:19:03:58 +0000"; made once a second.
Ref clf_time(std::time_t now) {
  static constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  static std::time_t made = 0;
  static PyObject* text = nullptr;
  if (now != made) {
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    std::array<char, 48> line{};
    std::snprintf(line.data(), line.size(), "%02d/%s/%d:%02d:%02d:%02d +0000", utc.tm_mday,
                  kMonths[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour, utc.tm_min,
                  utc.tm_sec);
    Py_XDECREF(text);
    text = PyUnicode_FromString(line.data());
    made = now;
  }
  return Ref::to(text);
}

Ref http_of(const Invocation& invocation, PyObject* path) {
  const auto& n = names();
  const auto& head = invocation.head;
  Ref http(PyDict_New());
  const bool good =
      http && put(http.get(), n.method, latin1(head.method)) && put(http.get(), n.path, Ref::to(path)) &&
      put(http.get(), n.protocol, Ref::to(n.http_1_1)) && put(http.get(), n.sourceIp, latin1(head.remote)) &&
      put(http.get(), n.userAgent, latin1(bridge::header_value(head.headers, "user-agent")));
  return good ? std::move(http) : Ref();
}

/// Of the route that the request came by; "$default" without one.
Ref route_key(const Invocation& invocation) {
  const auto key = bridge::header_value(invocation.head.headers, "mayfly-route");
  return key.empty() ? Ref::to(names().default_route) : latin1(key);
}

Ref context_of(const Invocation& invocation, PyObject* path, PyObject* route) {
  const auto& n = names();
  auto domain = bridge::header_value(invocation.head.headers, "host");
  if (domain.empty()) domain = "localhost";
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  Ref context(PyDict_New());
  PyObject* dict = context.get();
  const bool good = context && put(dict, n.accountId, Ref::to(n.anonymous)) &&
                    put(dict, n.apiId, Ref::to(n.mayfly)) && put(dict, n.domainName, latin1(domain)) &&
                    put(dict, n.domainPrefix, latin1(domain.substr(0, domain.find('.')))) &&
                    put(dict, n.http, http_of(invocation, path)) &&
                    put(dict, n.requestId, latin1(invocation.head.invocation)) &&
                    put(dict, n.routeKey, Ref::to(route)) && put(dict, n.stage, Ref::to(n.default_route)) &&
                    put(dict, n.time, clf_time(static_cast<std::time_t>(milliseconds / 1000))) &&
                    put(dict, n.timeEpoch, Ref(PyLong_FromLongLong(milliseconds))) &&
                    put_authorizer(dict, invocation);
  return good ? std::move(context) : Ref();
}

}  // namespace

Ref lambda_event(const Invocation& invocation, PyObject* body) {
  const auto& n = names();
  const auto [raw_path, raw_query] = invocation.target();
  const Ref path = latin1(raw_path);
  const Ref route = route_key(invocation);
  Ref headers(PyDict_New());
  const Ref cookies(PyList_New(0));
  bool good = path && route && headers && cookies;
  for_each_header(invocation.head.headers, [&](std::string_view name, std::string_view value) {
    const bool cookie = name == "cookie";
    good = good && (!cookie || append_cookies(cookies.get(), value)) &&
           put_joined(headers.get(), name_text(name), latin1(value), cookie ? "; " : ",");
  });
  Ref event(good ? PyDict_New() : nullptr);
  PyObject* dict = event.get();
  good = event && put(dict, n.version, Ref::to(n.two_dot_oh)) &&
         put(dict, n.routeKey, Ref::to(route.get())) && put(dict, n.rawPath, Ref::to(path.get())) &&
         put(dict, n.rawQueryString, latin1(raw_query)) && put(dict, n.headers, std::move(headers)) &&
         put(dict, n.requestContext, context_of(invocation, path.get(), route.get())) &&
         put(dict, n.isBase64Encoded, Ref(boolean(false)));
  if (good && PyList_Size(cookies.get()) > 0) good = put(dict, n.cookies, Ref::to(cookies.get()));
  const auto parameters = bridge::header_value(invocation.head.headers, "mayfly-path-parameters");
  if (good && !parameters.empty()) good = put(dict, n.pathParameters, query_of(parameters));
  if (good && !raw_query.empty()) good = put(dict, n.queryStringParameters, query_of(raw_query));
  if (good && body != nullptr && PyBytes_Size(body) > 0) good = put_body(dict, invocation, body);
  return good ? std::move(event) : Ref();
}

}  // namespace mayfly::python
