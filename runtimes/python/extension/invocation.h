// Invocation: one request or event that this instance serves, as Python sees it. What a handler form does
// with it is Python's; taking requests apart and putting answers together is done here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/connection.h"
#include "python.h"

namespace mayfly::python {

class Server;

/// The C++ side of the Python object.
struct Invocation {
  Invocation(Server& its_server, const bridge::Request& request);
  Invocation(const Invocation&) = delete;
  Invocation& operator=(const Invocation&) = delete;

  Server& server;
  std::uint32_t stream;
  bool event;             ///< the body is an event's payload
  bool more;              ///< parts of the body are still to come
  bool end_told = false;  ///< ASGI: the application knows that the body is over
  bool head_sent = false;
  bool answer_is_none = false;  ///< what the handler gave for one
  bool complete = false;        ///< the whole answer was given
  bool done = false;            ///< the slot is free
  bool full = false;            ///< the window is; wait for on_writable
  wire::AbortReason aborted{};
  std::string text;  ///< what `head` points into
  wire::InvokeHead head;
  std::vector<Ref> parts;  ///< of the body, as bytes objects, not taken yet
  std::size_t next_part = 0;
  unsigned status = 0;  ///< ASGI: of a response that was started but not sent
  std::string answer_head;
  Ref task;     ///< runs this invocation; None or null when that is over
  Ref waiters;  ///< list of futures that are resolved when something has changed

  /// The target up to '?', and what follows it.
  [[nodiscard]] std::pair<std::string_view, std::string_view> target() const;
  [[nodiscard]] bool bare(unsigned of_status) const {  ///< an answer without a body
    return head.method == "HEAD" || of_status == 204 || of_status == 205 || of_status == 304;
  }
  /// Takes the next part of the body; null if there is none now. Gives the client credit for it.
  [[nodiscard]] Ref take_part();
  [[nodiscard]] bool has_part() const { return next_part < parts.size(); }
};

/// Once, when the module is made. False with an exception.
[[nodiscard]] bool make_invocation_type(PyObject* module);
/// A new Python object for a request; null with an exception.
[[nodiscard]] Ref new_invocation(Server& server, const bridge::Request& request);
[[nodiscard]] Invocation& invocation_of(PyObject* object);

// --- requests.cpp: a request as what the forms expect. Null with an exception.
/// An ASGI scope: a copy of the dict `base` with what belongs to this request.
[[nodiscard]] Ref asgi_scope(const Invocation& invocation, PyObject* base);
/// A WSGI environ, likewise. The wsgi.* keys that do not change are in `base`.
[[nodiscard]] Ref wsgi_environ(const Invocation& invocation, PyObject* base);
// --- lambda_event.cpp
/// API Gateway's payload format 2.0. `body`: the whole one, as bytes; null when there is none.
[[nodiscard]] Ref lambda_event(const Invocation& invocation, PyObject* body);

// --- asgi.cpp: the two callables of an application.
[[nodiscard]] PyObject* asgi_receive(PyObject* self, PyObject*);
[[nodiscard]] PyObject* asgi_send(PyObject* self, PyObject* message);
/// The next message for receive(), or None if it has to wait.
[[nodiscard]] PyObject* asgi_take(PyObject* self, PyObject*);

// --- lambda_answer.cpp
/// Sends what a handler returned. None when that is all, or what is left to do: an iterator whose head was
/// sent, or something that has to be awaited first. Null with an exception.
[[nodiscard]] PyObject* lambda_answer(PyObject* self, PyObject* result);

}  // namespace mayfly::python
