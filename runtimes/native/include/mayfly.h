/* mayfly.h: what a native function is written against. Includes the C library alone, and from C++20 on offers
 * a small layer of its own below (namespace mayfly).
 *
 *   #include <mayfly.h>                                          C++
 *   mayfly::Response handle(const mayfly::Request& request) {
 *     return {200, "hello"};
 *   }
 *   MAYFLY_HANDLER(handle)
 *
 *   #include <mayfly.h>                                          C
 *   void handle(mayfly_request* request, mayfly_response* response) {
 *     mayfly_print(response, "hello");
 *   }
 *   MAYFLY_HANDLER(handle)
 *
 * A function is a shared object. It is loaded once, in the template; MAYFLY_INIT runs there too. Every
 * instance is a fork of the template, so what was loaded or computed by then is shared by all of them and is
 * there at once. An instance runs one invocation at a time, in its only thread.
 *
 * Threads: everything here is to be called on the thread that called the handler. A handler may start
 * threads, and joins them before it returns. A template with threads or sockets cannot be forked: each
 * instance then loads the code.
 *
 * Ownership: a request and a response belong to the runtime and end when the handler returns, and with them
 * every text that they gave. A text that is passed in is copied.
 *
 * Output: lines on stdout and stderr, and of mayfly_log(), are in the function's log with the invocation.
 */
#ifndef MAYFLY_H
#define MAYFLY_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The version of what follows. It changes when something is no longer as it was; what is only added goes to
 * the end of struct mayfly_host, whose size tells a runtime what a function may ask it for. */
#define MAYFLY_ABI 1

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mayfly_request mayfly_request;
typedef struct mayfly_response mayfly_response;
typedef struct mayfly_call mayfly_call; /* see mayfly_calls.h */
struct mayfly_dataset_file;

/* Bytes that belong to the runtime; data[size] is 0. data is NULL where there is no such text. */
typedef struct mayfly_text {
  const char* data;
  size_t size;
} mayfly_text;

enum mayfly_level { MAYFLY_DEBUG = 1, MAYFLY_INFO = 2, MAYFLY_WARN = 3, MAYFLY_ERROR = 4 };

/* Of call_open: what is called, and flags. */
enum mayfly_call_kind { MAYFLY_CALL_INVOKE = 1, MAYFLY_CALL_NEXT = 2, MAYFLY_CALL_PUBLISH = 3 };
enum mayfly_call_flag { MAYFLY_CALL_EVENT = 1, MAYFLY_CALL_FORWARD = 2 /* the request's own body */ };

/* What calls return that can fail. */
enum mayfly_result {
  MAYFLY_OK = 0,
  MAYFLY_GONE = -1,   /* nobody waits for the answer any more: the client left, or the deadline passed */
  MAYFLY_INVALID = -2 /* an argument that HTTP does not allow, or too late for it */
};

/* What the runtime offers; called through the functions below. */
struct mayfly_host {
  uint32_t abi;
  uint32_t size; /* of this struct, in bytes */
  mayfly_text (*method)(const mayfly_request*);
  mayfly_text (*target)(const mayfly_request*);
  mayfly_text (*path)(const mayfly_request*);
  mayfly_text (*query)(const mayfly_request*);
  mayfly_text (*scheme)(const mayfly_request*);
  mayfly_text (*remote)(const mayfly_request*);
  mayfly_text (*invocation)(const mayfly_request*);
  mayfly_text (*header)(const mayfly_request*, const char* name, size_t size);
  int (*header_at)(const mayfly_request*, size_t index, mayfly_text* name, mayfly_text* value);
  int (*is_event)(const mayfly_request*);
  int64_t (*time_left)(const mayfly_request*);
  int (*body)(mayfly_request*, mayfly_text* body);
  ptrdiff_t (*read)(mayfly_request*, void* buffer, size_t size);
  int (*aborted)(mayfly_request*);
  int (*set_status)(mayfly_response*, int status);
  int (*add_header)(mayfly_response*, const char* name, size_t size, const char* value, size_t value_size);
  void (*append)(mayfly_response*, const void* data, size_t size);
  int (*write)(mayfly_response*, const void* data, size_t size);
  void (*fail)(mayfly_response*, const char* message, size_t size);
  void (*init_failed)(const char* message, size_t size);
  void (*log)(int level, const char* text, size_t size);
  mayfly_text (*secret)(const char* name, size_t size);
  /* texts: name, method, target, headers as "name NUL value NUL …", body. Never NULL; close it. */
  mayfly_call* (*call_open)(mayfly_request*, int kind, const mayfly_text* texts, int flags);
  int (*call_wait)(mayfly_call*); /* for the head: the status; 0: there is no answer, see call_error */
  int (*call_header_at)(const mayfly_call*, size_t index, mayfly_text* name, mayfly_text* value);
  ptrdiff_t (*call_read)(mayfly_call*, void* buffer, size_t size); /* < 0: it broke off, see call_error */
  int (*call_error)(const mayfly_call*, mayfly_text* type, mayfly_text* message); /* its HTTP status */
  void (*call_close)(mayfly_call*); /* before the handler returns, or after a stream is written */
  uint32_t (*call_count)(const mayfly_request*);         /* so many were opened */
  mayfly_text (*dataset)(const char* name, size_t size); /* this and what follows: mayfly_datasets.h */
  int (*dataset_file)(const char* name, size_t size, size_t index, struct mayfly_dataset_file* file);
};

/* Set by the runtime before anything of the function runs but its static constructors. */
__attribute__((weak, visibility("hidden"))) const struct mayfly_host* mayfly_host_;

/* --- The request */

/* "GET" */
static inline mayfly_text mayfly_method(const mayfly_request* r) { return mayfly_host_->method(r); }
/* Path and query as they were sent: "/a%20b?x=1" */
static inline mayfly_text mayfly_target(const mayfly_request* r) { return mayfly_host_->target(r); }
/* "/a%20b": not decoded */
static inline mayfly_text mayfly_path(const mayfly_request* r) { return mayfly_host_->path(r); }
/* "x=1"; empty if there is none */
static inline mayfly_text mayfly_query(const mayfly_request* r) { return mayfly_host_->query(r); }
/* "http" or "https" */
static inline mayfly_text mayfly_scheme(const mayfly_request* r) { return mayfly_host_->scheme(r); }
/* The client's address; may be empty */
static inline mayfly_text mayfly_remote(const mayfly_request* r) { return mayfly_host_->remote(r); }
/* The id that the answer carries as Mayfly-Invocation */
static inline mayfly_text mayfly_invocation(const mayfly_request* r) { return mayfly_host_->invocation(r); }
/* The first value of a header, NULL if there is none. The name in lower case. */
static inline const char* mayfly_header(const mayfly_request* r, const char* name) {
  return mayfly_host_->header(r, name, strlen(name)).data;
}
/* The header number `index`, from 0, its name in lower case; returns 0 if there are not so many. */
static inline int mayfly_header_at(const mayfly_request* r, size_t index, mayfly_text* name,
                                   mayfly_text* value) {
  return mayfly_host_->header_at(r, index, name, value);
}
/* 1: the body is an event's payload, not an HTTP request's. */
static inline int mayfly_is_event(const mayfly_request* r) { return mayfly_host_->is_event(r); }
/* Nanoseconds until the deadline; less than 0 once it has passed. */
static inline int64_t mayfly_time_left(const mayfly_request* r) { return mayfly_host_->time_left(r); }
/* Waits for what of the body was not read yet, and gives that. MAYFLY_OK or MAYFLY_GONE. */
static inline int mayfly_body(mayfly_request* r, mayfly_text* body) { return mayfly_host_->body(r, body); }
/* Waits for a part of the body and takes up to `size` bytes of it. Returns how many, 0 at the end of the
 * body, or MAYFLY_GONE. A client sends at most 256 KiB more than was read. */
static inline ptrdiff_t mayfly_read(mayfly_request* r, void* buffer, size_t size) {
  return mayfly_host_->read(r, buffer, size);
}
/* Whether nobody waits for the answer any more. Does not wait itself; past a deadline, end soon. */
static inline int mayfly_aborted(mayfly_request* r) { return mayfly_host_->aborted(r); }

/* --- The response: status 200 and an empty body, until it is told otherwise */

/* 200…599. MAYFLY_INVALID: another number, or the head was sent. */
static inline int mayfly_set_status(mayfly_response* r, int status) {
  return mayfly_host_->set_status(r, status);
}
/* One more header; a name may occur more than once. MAYFLY_INVALID: not what RFC 9110 allows (a line break,
 * say), or the head was sent. Content-Length is added by itself. */
static inline int mayfly_add_header(mayfly_response* r, const char* name, const char* value) {
  return mayfly_host_->add_header(r, name, strlen(name), value, strlen(value));
}
/* Adds to the body, which is sent as a whole when the handler returns. */
static inline void mayfly_append(mayfly_response* r, const void* data, size_t size) {
  mayfly_host_->append(r, data, size);
}
static inline void mayfly_print(mayfly_response* r, const char* text) {
  mayfly_append(r, text, strlen(text));
}
/* Sends the head, if it was not, and these bytes now. Waits while the client takes less than it is sent (256
 * KiB are under way). MAYFLY_OK, or MAYFLY_GONE: further work is in vain. */
static inline int mayfly_write(mayfly_response* r, const void* data, size_t size) {
  return mayfly_host_->write(r, data, size);
}
/* The invocation failed: the caller gets a 500 (or, in the middle of a body, a broken answer); the message is
 * for the function's owner. What was appended is dropped. Return soon. */
static inline void mayfly_fail(mayfly_response* r, const char* message) {
  mayfly_host_->fail(r, message, strlen(message));
}

/* --- The surroundings */

/* A line of log, as of printf; cut at 16 KiB. */
__attribute__((format(printf, 2, 3), unused)) static void mayfly_log(int level, const char* format, ...) {
  char text[4096];
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  const int size = vsnprintf(text, sizeof text, format, arguments);
  char* longer = size >= (int)sizeof text ? (char*)malloc((size_t)size + 1) : NULL;
  if (longer != NULL) vsnprintf(longer, (size_t)size + 1, format, again);
  const int kept = size < (int)sizeof text ? size : (int)sizeof text - 1;
  if (size >= 0)
    mayfly_host_->log(level, longer != NULL ? longer : text, (size_t)(longer != NULL ? size : kept));
  free(longer);
  va_end(again);
  va_end(arguments);
}
/* A secret that the configuration grants to this function; NULL: there is none. Stays valid. */
static inline const char* mayfly_secret(const char* name) {
  return mayfly_host_->secret(name, strlen(name)).data;
}

/* --- How a function is found */

/* What a shared object exports as `mayfly_abi`. */
struct mayfly_function {
  uint32_t abi;
  uint32_t host_size; /* of struct mayfly_host as the function knows it */
  const struct mayfly_host** host;
  void (*handle)(mayfly_request*, mayfly_response*);
};
/* … and as `mayfly_init`, where MAYFLY_INIT is used. Not 0: it failed. */
struct mayfly_init_hook {
  int (*run)(void);
};

#ifdef __cplusplus
} /* extern "C" */
#define MAYFLY_EXTERN_ extern "C"
#else
#define MAYFLY_EXTERN_ extern
#endif
#define MAYFLY_EXPORT_(type, name)                                              \
  MAYFLY_EXTERN_ __attribute__((visibility("default"))) const struct type name; \
  const struct type name

#if !defined(__cplusplus) || __cplusplus < 202002L
/* Once in a function: void f(mayfly_request*, mayfly_response*) */
#define MAYFLY_HANDLER(...)                                                                             \
  MAYFLY_EXPORT_(mayfly_function, mayfly_abi) = {MAYFLY_ABI, sizeof(struct mayfly_host), &mayfly_host_, \
                                                 __VA_ARGS__};
/* At most once: int f(void), run in the template, after static constructors. Not 0: the deploy fails. */
#define MAYFLY_INIT(function) MAYFLY_EXPORT_(mayfly_init_hook, mayfly_init) = {function};

#else /* --- C++20 */

#include <cxxabi.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <functional>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

/* Once in a function: Response f(const Request&), a lambda without captures of that form, or the form of C.
 * An exception that leaves it is the caller's 500; its what() is in the log. (Lambdas have commas.) */
#define MAYFLY_HANDLER(...)                                                                             \
  MAYFLY_EXPORT_(mayfly_function, mayfly_abi) = {MAYFLY_ABI, sizeof(struct mayfly_host), &mayfly_host_, \
                                                 &::mayfly::detail::serve<__VA_ARGS__>};
/* At most once: void f(), run in the template, after static constructors. If it throws, the deploy fails. */
#define MAYFLY_INIT(function) \
  MAYFLY_EXPORT_(mayfly_init_hook, mayfly_init) = {&::mayfly::detail::init<function>};

namespace mayfly {

enum class Level { debug = MAYFLY_DEBUG, info = MAYFLY_INFO, warn = MAYFLY_WARN, error = MAYFLY_ERROR };

/// A line of log; cut at 16 KiB.
inline void log(Level level, std::string_view text) {
  mayfly_host_->log(static_cast<int>(level), text.data(), text.size());
}
inline void log(std::string_view text) { log(Level::info, text); }

/// A secret that the configuration grants to this function. Stays valid.
inline std::optional<std::string_view> secret(std::string_view name) {
  const mayfly_text text = mayfly_host_->secret(name.data(), name.size());
  if (text.data == nullptr) return std::nullopt;
  return std::string_view(text.data, text.size);
}
/// A variable of the environment (`env` in mayfly.toml).
inline std::optional<std::string_view> env(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string_view(value);
}

/// Nobody waits for the answer any more. Let it leave the handler: it is no failure.
struct Gone : std::runtime_error {
  Gone() : std::runtime_error("nobody waits for the answer any more") {}
};

using Headers = std::vector<std::pair<std::string, std::string> >;

/// One request. All texts are valid until the handler returns.
class Request {
 public:
  explicit Request(mayfly_request* request) : request_(request) {}
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  [[nodiscard]] std::string_view method() const { return view(mayfly_method(request_)); }
  /// Path and query as they were sent: "/a%20b?x=1"
  [[nodiscard]] std::string_view target() const { return view(mayfly_target(request_)); }
  /// "/a%20b": not decoded
  [[nodiscard]] std::string_view path() const { return view(mayfly_path(request_)); }
  /// "x=1"; empty if there is none
  [[nodiscard]] std::string_view query() const { return view(mayfly_query(request_)); }
  /// The first value of this name in the query, decoded.
  [[nodiscard]] std::optional<std::string> query(std::string_view name) const {
    return value_in(query(), name);
  }
  /// What stands in the place of a route's placeholder, decoded: parameter("id") of "/users/:id".
  [[nodiscard]] std::optional<std::string> parameter(std::string_view name) const {
    return value_in(header("mayfly-path-parameters").value_or(""), name);
  }
  [[nodiscard]] std::string_view scheme() const { return view(mayfly_scheme(request_)); }
  /// The client's address; may be empty
  [[nodiscard]] std::string_view remote() const { return view(mayfly_remote(request_)); }
  /// The id that the answer carries as Mayfly-Invocation
  [[nodiscard]] std::string_view invocation() const { return view(mayfly_invocation(request_)); }
  /// The first value of a header; the name in lower case.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const {
    const mayfly_text text = mayfly_host_->header(request_, name.data(), name.size());
    if (text.data == nullptr) return std::nullopt;
    return view(text);
  }
  /// All headers in their order, names in lower case.
  [[nodiscard]] std::vector<std::pair<std::string_view, std::string_view> > headers() const {
    std::vector<std::pair<std::string_view, std::string_view> > all;
    mayfly_text name, value;
    while (mayfly_header_at(request_, all.size(), &name, &value) != 0)
      all.emplace_back(view(name), view(value));
    return all;
  }
  /// The body is an event's payload, not an HTTP request's.
  [[nodiscard]] bool is_event() const { return mayfly_is_event(request_) != 0; }

  /// Waits for what of the body was not read yet, and gives that. Throws Gone.
  [[nodiscard]] std::string_view body() const {
    mayfly_text text;
    if (mayfly_body(request_, &text) != MAYFLY_OK) throw Gone();
    return view(text);
  }
  /// Waits for a part of the body and takes as much of it as there is room. Returns the number of bytes, 0 at
  /// the end. Throws Gone. A client sends at most 256 KiB more than was read.
  std::size_t read(std::span<char> room) const {
    const auto got = mayfly_read(request_, room.data(), room.size());
    if (got < 0) throw Gone();
    return static_cast<std::size_t>(got);
  }

  /// Until the deadline; less than 0 once it has passed.
  [[nodiscard]] std::chrono::nanoseconds time_left() const {
    return std::chrono::nanoseconds(mayfly_time_left(request_));
  }
  /// Whether nobody waits for the answer any more. For work that takes long; does not wait itself.
  [[nodiscard]] bool aborted() const { return mayfly_aborted(request_) != 0; }
  /// For the functions of C.
  [[nodiscard]] mayfly_request* handle() const { return request_; }

 private:
  static std::string_view view(mayfly_text text) { return {text.data, text.size}; }
  /// The first value of this name in "a=1&b=%20", decoded.
  static std::optional<std::string> value_in(std::string_view rest, std::string_view name) {
    while (!rest.empty()) {
      const auto pair = rest.substr(0, rest.find('&'));
      rest.remove_prefix(pair.size() < rest.size() ? pair.size() + 1 : pair.size());
      const auto equals = pair.find('=') < pair.size() ? pair.find('=') : pair.size();
      if (decode(pair.substr(0, equals)) == name)
        return decode(equals < pair.size() ? pair.substr(equals + 1) : std::string_view());
    }
    return std::nullopt;
  }
  static std::string decode(std::string_view text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
      unsigned char code = 0;
      const bool coded = text[i] == '%' && i + 2 < text.size() &&
                         std::from_chars(&text[i + 1], &text[i] + 3, code, 16).ptr == &text[i] + 3;
      decoded += coded ? static_cast<char>(code) : text[i] == '+' ? ' ' : text[i];
      if (coded) i += 2;
    }
    return decoded;
  }

  mayfly_request* request_;
};

/// The body of an answer that is sent while it is made.
class Writer {
 public:
  explicit Writer(mayfly_response* response) : response_(response) {}
  /// Sends these bytes now. Waits while the client takes less than it is sent. Throws Gone.
  void write(std::string_view bytes) {
    if (mayfly_write(response_, bytes.data(), bytes.size()) != MAYFLY_OK) throw Gone();
  }

 private:
  mayfly_response* response_;
};

/// An answer: whole, or (stream) one whose body is made while it is sent.
struct Response {
  Response(int code = 200, std::string content = {}, Headers fields = {})  // NOLINT: `return {200, "hello"};`
      : status(code), headers(std::move(fields)), body(std::move(content)) {}
  Response(std::string content) : body(std::move(content)) {}  // NOLINT: `return "hello";`
  Response(const char* content) : body(content) {}             // NOLINT

  /// `write` is called after the handler has returned, while the request is still there.
  static Response stream(int code, Headers fields, std::function<void(Writer&)> write) {
    Response response(code, {}, std::move(fields));
    response.writer = std::move(write);
    return response;
  }

  int status = 200;  ///< 200…599
  Headers headers;   ///< without a Content-Type, a body is text/plain in UTF-8
  std::string body;
  std::function<void(Writer&)> writer;  ///< if there is one, `body` is sent before what it writes
};

namespace detail {

/// "std::runtime_error: what went wrong", of the exception that is being handled.
inline std::string describe_exception() {
  std::string type = "an exception";
  if (const std::type_info* info = abi::__cxa_current_exception_type()) {
    int status = 0;
    char* name = abi::__cxa_demangle(info->name(), nullptr, nullptr, &status);
    type = name != nullptr ? name : info->name();
    std::free(name);
  }
  try {
    throw;
  } catch (const std::exception& error) {
    return type + ": " + error.what();
  } catch (const std::string& text) {
    return type + ": " + text;
  } catch (const char* text) {
    return type + ": " + text;
  } catch (...) {
    return type;
  }
}

inline void send(const Response& answer, mayfly_response* response) {
  if (mayfly_set_status(response, answer.status) != MAYFLY_OK)
    throw std::invalid_argument("the status " + std::to_string(answer.status) + " is not one of 200…599");
  bool typed = answer.body.empty();
  for (const auto& [name, value] : answer.headers) {
    if (mayfly_host_->add_header(response, name.data(), name.size(), value.data(), value.size()) != MAYFLY_OK)
      throw std::invalid_argument("the header '" + name + "' is not what HTTP allows");
    typed = typed || (name.size() == 12 && ::strcasecmp(name.c_str(), "content-type") == 0);
  }
  if (!typed) mayfly_add_header(response, "content-type", "text/plain; charset=utf-8");
  if (!answer.writer) return mayfly_append(response, answer.body.data(), answer.body.size());
  Writer writer(response);
  writer.write(answer.body);
  answer.writer(writer);
}

template <auto function>
void serve(mayfly_request* request, mayfly_response* response) noexcept {
  try {
    if constexpr (std::is_invocable_v<decltype(function), mayfly_request*, mayfly_response*>)
      function(request, response);
    else {
      Request view(request);  // what a stream captured of it is still there when it is written
      send(function(view), response);
    }
  } catch (const Gone&) {
    return;  // nobody takes the answer
  } catch (...) {
    const std::string message = describe_exception();
    mayfly_host_->fail(response, message.data(), message.size());
  }
}

template <auto function>
int init() noexcept {
  try {
    if constexpr (std::is_same_v<decltype(function()), int>) {
      return function();
    } else {
      function();
      return 0;
    }
  } catch (...) {
    const std::string message = describe_exception();
    mayfly_host_->init_failed(message.data(), message.size());
    return 1;
  }
}

}  // namespace detail
}  // namespace mayfly

#endif /* C++20 */
#include "mayfly_datasets.h"
#endif /* MAYFLY_H */
