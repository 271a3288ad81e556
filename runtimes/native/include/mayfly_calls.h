/* mayfly_calls.h: how a native function calls other functions, publishes events, and passes on what it is
 * wrapped around. C++20; from C the functions of struct mayfly_host that begin with call_ are the interface.
 *
 *   mayfly::Answer answer = mayfly::invoke(request, "resize", {.path = "/large", .body = picture});
 *   if (answer.status() != 200) …
 *   mayfly::publish(request, "image.resized", "{\"key\":\"a.png\"}");
 *
 *   return mayfly::pass(mayfly::next(request));      // in a decorator: bodies stream both ways
 *
 * All of them wait. An answer is valid until the handler returns, also for what a Response::stream writes.
 */
#ifndef MAYFLY_CALLS_H
#define MAYFLY_CALLS_H

#include <mayfly.h>

#include <memory>

namespace mayfly {

/// A call has no answer. `status` and `type` are those of the problem document that it would be.
struct CallError : std::runtime_error {
  CallError(int code, std::string kind, const std::string& message)
      : std::runtime_error(message), status(code), type(std::move(kind)) {}
  int status;
  std::string type;
};

/// What is asked of a function.
struct Call {
  std::string method{};  ///< empty: POST with a body, GET without
  std::string path = "/";
  Headers headers{};
  std::string_view body{};
  bool event = false;  ///< the body is an event's payload, for a handler of Lambda's form
};

/// What a function answered.
class Answer {
 public:
  explicit Answer(mayfly_call* call) : call_(call, mayfly_host_->call_close) {
    status_ = mayfly_host_->call_wait(call);
    if (status_ == 0) fail();
  }
  [[nodiscard]] int status() const { return status_; }
  /// All headers in their order, names in lower case.
  [[nodiscard]] std::vector<std::pair<std::string_view, std::string_view> > headers() const {
    std::vector<std::pair<std::string_view, std::string_view> > all;
    mayfly_text name, value;
    while (mayfly_host_->call_header_at(call_.get(), all.size(), &name, &value) != 0)
      all.emplace_back(std::string_view(name.data, name.size), std::string_view(value.data, value.size));
    return all;
  }
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const {
    for (const auto& [other, value] : headers())
      if (other == name) return value;
    return std::nullopt;
  }
  /// Waits for a part of the body and takes as much of it as there is room; 0 at the end. Throws CallError.
  std::size_t read(std::span<char> room) {
    const auto got = mayfly_host_->call_read(call_.get(), room.data(), room.size());
    if (got < 0) fail();
    return static_cast<std::size_t>(got);
  }
  /// What was not read of it yet.
  [[nodiscard]] std::string body() {
    std::string all;
    std::vector<char> room(65536);
    while (const auto got = read(room)) all.append(room.data(), got);
    return all;
  }

 private:
  [[noreturn]] void fail() const {
    mayfly_text type, message;
    const int status = mayfly_host_->call_error(call_.get(), &type, &message);
    throw CallError(status, std::string(type.data, type.size), std::string(message.data, message.size));
  }
  std::unique_ptr<mayfly_call, void (*)(mayfly_call*)> call_;
  int status_ = 0;
};

namespace detail {

inline void add_header(std::string& headers, std::string_view name, std::string_view value) {
  for (const char c : name) headers.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  headers.append(1, '\0').append(value).append(1, '\0');
}

inline Answer call(const Request& request, int kind, std::string_view name, const Call& what, int flags) {
  std::string headers;
  for (const auto& [field, value] : what.headers) add_header(headers, field, value);
  const std::string_view method = !what.method.empty() ? std::string_view(what.method)
                                  : what.body.empty()  ? "GET"
                                                       : "POST";
  const mayfly_text texts[] = {{name.data(), name.size()},
                               {method.data(), method.size()},
                               {what.path.data(), what.path.size()},
                               {headers.data(), headers.size()},
                               {what.body.data(), what.body.size()}};
  return Answer(
      mayfly_host_->call_open(request.handle(), kind, texts, flags | (what.event ? MAYFLY_CALL_EVENT : 0)));
}

}  // namespace detail

/// Calls a function, or one version of it ("name@3").
inline Answer invoke(const Request& request, std::string_view name, const Call& what = {}) {
  return detail::call(request, MAYFLY_CALL_INVOKE, name, what, 0);
}

/// In a decorator: calls what it is around with the request as it came. What was not read of its body goes
/// along.
inline Answer next(const Request& request) {
  Call what{.method = std::string(request.method()), .path = std::string(request.target())};
  for (const auto& [name, value] : request.headers()) what.headers.emplace_back(name, value);
  return detail::call(request, MAYFLY_CALL_NEXT, {}, what, MAYFLY_CALL_FORWARD);
}
/// The same with another request.
inline Answer next(const Request& request, const Call& what) {
  return detail::call(request, MAYFLY_CALL_NEXT, {}, what, 0);
}

/// Publishes an event: `attributes` are those of CloudEvents ("subject", "id", "partitionkey", …). Throws
/// CallError.
inline void publish(const Request& request, std::string_view topic, std::string_view data,
                    std::string_view content_type = "application/json", const Headers& attributes = {}) {
  Call what{.method = "POST", .path = "/topics/" + std::string(topic), .body = data};
  what.headers = {{"content-type", std::string(content_type)}, {"ce-specversion", "1.0"}};
  const auto add = [&](const char* name, std::string_view otherwise) {
    for (const auto& [given, value] : attributes)
      if (given == name) return;
    what.headers.emplace_back("ce-" + std::string(name), otherwise);
  };
  add("id",
      std::string(request.invocation()) + "-" + std::to_string(mayfly_host_->call_count(request.handle())));
  add("source", "/functions");
  add("type", topic);
  for (const auto& [name, value] : attributes) what.headers.emplace_back("ce-" + name, value);
  Answer answer = detail::call(request, MAYFLY_CALL_PUBLISH, topic, what, 0);
  if (answer.status() >= 300) throw CallError(answer.status(), "", "publish: " + answer.body());
}

/// An answer as the response: it streams through.
inline Response pass(Answer answer) {
  Headers headers;
  for (const auto& [name, value] : answer.headers()) headers.emplace_back(name, value);
  const int status = answer.status();
  const auto shared = std::make_shared<Answer>(std::move(answer));
  return Response::stream(status, std::move(headers), [shared](Writer& writer) {
    std::vector<char> room(65536);
    while (const auto got = shared->read(room)) writer.write({room.data(), got});
  });
}

}  // namespace mayfly
#endif /* MAYFLY_CALLS_H */
