#include "invocation.h"

#include <array>

#include "calls.h"
#include "head.h"
#include "server.h"

namespace mayfly::python {
namespace {

struct Object {
  PyObject ob_base;
  Invocation* invocation;
};

PyTypeObject* type = nullptr;

void dealloc(PyObject* self) {
  PyTypeObject* own = Py_TYPE(self);
  delete reinterpret_cast<Object*>(self)->invocation;
  PyObject_Free(self);
  Py_DECREF(own);
}

// --- Attributes

PyObject* get_stream(PyObject* self, void*) { return PyLong_FromUnsignedLong(invocation_of(self).stream); }
PyObject* get_id(PyObject* self, void*) { return latin1(invocation_of(self).head.invocation).release(); }
PyObject* get_method(PyObject* self, void*) { return latin1(invocation_of(self).head.method).release(); }
PyObject* get_is_event(PyObject* self, void*) { return boolean(invocation_of(self).event); }
PyObject* get_more(PyObject* self, void*) { return boolean(invocation_of(self).more); }
PyObject* get_full(PyObject* self, void*) { return boolean(invocation_of(self).full); }
PyObject* get_done(PyObject* self, void*) { return boolean(invocation_of(self).done); }
PyObject* get_complete(PyObject* self, void*) { return boolean(invocation_of(self).complete); }
PyObject* get_head_sent(PyObject* self, void*) { return boolean(invocation_of(self).head_sent); }

/// "queue" or "schedule" of a delivery (docs/wire.md), else None. A request can have such a header; it is no
/// event.
PyObject* get_event_kind(PyObject* self, void*) {
  const Invocation& invocation = invocation_of(self);
  if (!invocation.event) return none();
  const auto kind = bridge::header_value(invocation.head.headers, "mayfly-event");
  return kind == "queue" || kind == "schedule" ? latin1(kind).release() : none();
}

PyObject* get_target(PyObject* self, void*) { return latin1(invocation_of(self).head.target).release(); }
PyObject* get_headers(PyObject* self, void*) {
  return header_pairs(invocation_of(self).head.headers).release();
}

/// The daemon's clock, in seconds: time.monotonic() of Python.
PyObject* get_deadline(PyObject* self, void*) {
  return PyFloat_FromDouble(static_cast<double>(invocation_of(self).head.deadline) * 1e-9);
}

PyObject* get_aborted(PyObject* self, void*) {
  const auto reason = invocation_of(self).aborted;
  if (reason == wire::AbortReason{}) return none();
  return PyUnicode_FromString(reason == wire::AbortReason::deadline ? "deadline" : "client");
}

PyObject* get_task(PyObject* self, void*) {
  PyObject* task = invocation_of(self).task.get();
  return Py_NewRef(task != nullptr ? task : Py_None);
}

int set_task(PyObject* self, PyObject* value, void*) {
  invocation_of(self).task = Ref::to(value);
  return 0;
}

// --- The request

PyObject* scope(PyObject* self, PyObject* base) { return asgi_scope(invocation_of(self), base).release(); }
PyObject* environ_dict(PyObject* self, PyObject* base) {
  return wsgi_environ(invocation_of(self), base).release();
}

/// The whole body as bytes; with parts that have come so far.
Ref joined(Invocation& invocation) {
  if (invocation.parts.empty()) return bytes({});
  if (invocation.parts.size() > 1) {
    std::string all;
    for (const Ref& part : invocation.parts) all.append(view(part.get()));
    invocation.parts.clear();
    invocation.parts.push_back(bytes(all));
  }
  return Ref::to(invocation.parts.front().get());
}

PyObject* body(PyObject* self, PyObject*) { return joined(invocation_of(self)).release(); }

PyObject* event(PyObject* self, PyObject*) {
  Invocation& invocation = invocation_of(self);
  const Ref content = joined(invocation);
  return content ? lambda_event(invocation, content.get()).release() : nullptr;
}

/// part(): the next part of the body that has come; b"" at the end, None if one may come.
PyObject* part(PyObject* self, PyObject*) {
  Invocation& invocation = invocation_of(self);
  if (invocation.has_part()) return invocation.take_part().release();
  return invocation.more && invocation.aborted == wire::AbortReason{} ? none() : bytes({}).release();
}

/// read(): the next part of the body, waiting for it; b"" at the end. For handlers that run one at a time.
PyObject* read(PyObject* self, PyObject*) {
  Invocation& invocation = invocation_of(self);
  while (!invocation.has_part() && invocation.more && invocation.aborted == wire::AbortReason{})
    invocation.server.pump();
  if (invocation.has_part()) return invocation.take_part().release();
  if (!invocation.more) return bytes({}).release();
  PyErr_SetString(PyExc_OSError, "the client has left");
  return nullptr;
}

/// hold(limit): waits for the whole body; its length, or None if it is longer than the limit. What is held is
/// read as before. For handlers that run one at a time.
PyObject* hold(PyObject* self, PyObject* limit) {
  Invocation& invocation = invocation_of(self);
  const std::size_t most = PyLong_AsSize_t(limit);
  if (PyErr_Occurred() != nullptr) return nullptr;
  std::size_t held = 0;
  for (auto next = invocation.next_part;; invocation.server.pump()) {
    for (; next < invocation.parts.size(); ++next) {
      const auto size = static_cast<std::uint32_t>(PyBytes_Size(invocation.parts[next].get()));
      held += size;
      if (invocation.more) invocation.server.connection().request_credit(invocation.stream, size);
    }
    if (held > most) return none();
    if (!invocation.more) return PyLong_FromSize_t(held);
    if (invocation.aborted != wire::AbortReason{}) break;
  }
  PyErr_SetString(PyExc_OSError, "the client has left");
  return nullptr;
}

// --- The answer

/// start(status, pairs)
PyObject* start(PyObject* self, PyObject* arguments) {
  unsigned status = 0;
  PyObject* pairs = nullptr;
  std::string head;
  if (!PyArg_ParseTuple(arguments, "IO", &status, &pairs) || !append_headers(head, pairs)) return nullptr;
  invocation_of(self).server.start(invocation_of(self), status, head);
  return none();
}

/// respond(status, pairs, body): the whole answer; the slot is free after it.
PyObject* respond(PyObject* self, PyObject* arguments) {
  unsigned status = 0;
  PyObject* pairs = nullptr;
  PyObject* content = nullptr;
  std::string head;
  std::string text;
  if (!PyArg_ParseTuple(arguments, "IOO", &status, &pairs, &content) || !append_headers(head, pairs) ||
      !append_bytes(content, text))
    return nullptr;
  Invocation& invocation = invocation_of(self);
  if (invocation.bare(status)) text.clear();
  invocation.server.respond(invocation, status, head, text, true);
  return none();
}

/// write(chunk): where invocations run one at a time it waits until the chunk is on its way, and hears
/// whether the client has left, with a chunk of b"" as well; otherwise `full` says whether to wait.
PyObject* write(PyObject* self, PyObject* chunk) {
  Invocation& invocation = invocation_of(self);
  std::string text;
  if (!append_bytes(chunk, text)) return nullptr;
  Server& server = invocation.server;
  if (!text.empty()) server.write(invocation, text);
  if (!server.concurrent()) {
    server.connection().flush();
    server.look();
    while (invocation.full) server.pump();
  }
  if (invocation.aborted == wire::AbortReason{}) return none();
  PyErr_SetString(PyExc_OSError, "the client has left");
  return nullptr;
}

PyObject* end(PyObject* self, PyObject*) {
  invocation_of(self).server.end(invocation_of(self));
  return none();
}

PyObject* finish(PyObject* self, PyObject*) {
  invocation_of(self).server.finish(invocation_of(self));
  return none();
}

/// fail(message, stack)
PyObject* fail(PyObject* self, PyObject* arguments) {
  PyObject* message = nullptr;
  PyObject* stack = nullptr;
  if (!PyArg_ParseTuple(arguments, "OO", &message, &stack)) return nullptr;
  invocation_of(self).server.fail(invocation_of(self), told(message), told(stack));
  return none();
}

/// wait(future): it is resolved when something changes: a part of the body, room, an abort, the end.
PyObject* wait(PyObject* self, PyObject* future) {
  Invocation& invocation = invocation_of(self);
  if (!invocation.waiters) invocation.waiters = Ref(PyList_New(0));
  if (!invocation.waiters || PyList_Append(invocation.waiters.get(), future) != 0) return nullptr;
  return none();
}

PyGetSetDef attributes[] = {{"stream", get_stream, nullptr, nullptr, nullptr},
                            {"id", get_id, nullptr, nullptr, nullptr},
                            {"method", get_method, nullptr, nullptr, nullptr},
                            {"target", get_target, nullptr, nullptr, nullptr},
                            {"headers", get_headers, nullptr, nullptr, nullptr},
                            {"is_event", get_is_event, nullptr, nullptr, nullptr},
                            {"event_kind", get_event_kind, nullptr, nullptr, nullptr},
                            {"more", get_more, nullptr, nullptr, nullptr},
                            {"full", get_full, nullptr, nullptr, nullptr},
                            {"done", get_done, nullptr, nullptr, nullptr},
                            {"complete", get_complete, nullptr, nullptr, nullptr},
                            {"head_sent", get_head_sent, nullptr, nullptr, nullptr},
                            {"deadline", get_deadline, nullptr, nullptr, nullptr},
                            {"aborted", get_aborted, nullptr, nullptr, nullptr},
                            {"task", get_task, set_task, nullptr, nullptr},
                            {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMethodDef methods[] = {{"scope", scope, METH_O, nullptr},
                         {"environ", environ_dict, METH_O, nullptr},
                         {"event", event, METH_NOARGS, nullptr},
                         {"body", body, METH_NOARGS, nullptr},
                         {"part", part, METH_NOARGS, nullptr},
                         {"read", read, METH_NOARGS, nullptr},
                         {"hold", hold, METH_O, nullptr},
                         {"answer", lambda_answer, METH_O, nullptr},
                         {"respond", respond, METH_VARARGS, nullptr},
                         {"start", start, METH_VARARGS, nullptr},
                         {"write", write, METH_O, nullptr},
                         {"end", end, METH_NOARGS, nullptr},
                         {"fail", fail, METH_VARARGS, nullptr},
                         {"finish", finish, METH_NOARGS, nullptr},
                         {"wait", wait, METH_O, nullptr},
                         {"receive", asgi_receive, METH_NOARGS, nullptr},
                         {"send", asgi_send, METH_O, nullptr},
                         {"take", asgi_take, METH_NOARGS, nullptr},
                         {nullptr, nullptr, 0, nullptr}};

}  // namespace

Invocation::Invocation(Server& its_server, const bridge::Request& request)
    : server(its_server),
      stream(request.stream),
      event(request.event),
      more(request.more),
      head(request.head) {
  const std::array texts{&head.invocation, &head.remote, &head.scheme,
                         &head.method,     &head.target, &head.headers};
  std::size_t size = 0;
  for (const auto* part : texts) size += part->size();
  text.reserve(size);  // so that it stays where it is
  for (auto* part : texts) {
    const std::size_t at = text.size();
    text.append(*part);
    *part = std::string_view(text).substr(at);
  }
  if (!request.body.empty()) parts.push_back(bytes(request.body));
}

std::pair<std::string_view, std::string_view> Invocation::target() const {
  std::string_view path = head.target;
  if (!path.starts_with('/')) {  // "http://host/path", or "*"
    const auto host = path.find("://");
    const auto slash = host == std::string_view::npos ? host : path.find('/', host + 3);
    path = slash == std::string_view::npos ? std::string_view("/") : path.substr(slash);
  }
  const auto question = path.find('?');
  if (question == std::string_view::npos) return {path, {}};
  return {path.substr(0, question), path.substr(question + 1)};
}

Ref Invocation::take_part() {
  Ref part = std::move(parts[next_part++]);
  if (next_part == parts.size()) {
    parts.clear();
    next_part = 0;
  }
  if (more) server.connection().request_credit(stream, static_cast<std::uint32_t>(PyBytes_Size(part.get())));
  return part;
}

bool make_invocation_type(PyObject*) {
  std::array slots{PyType_Slot{Py_tp_getset, attributes}, PyType_Slot{Py_tp_methods, methods},
                   PyType_Slot{Py_tp_dealloc, reinterpret_cast<void*>(&dealloc)}, PyType_Slot{0, nullptr}};
  PyType_Spec spec{"mayfly_bridge.Invocation", sizeof(Object), 0,
                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots.data()};
  type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  return type != nullptr;
}

Ref new_invocation(Server& server, const bridge::Request& request) {
  auto* object = PyObject_New(Object, type);
  if (object == nullptr) return {};
  object->invocation = new Invocation(server, request);
  return Ref(reinterpret_cast<PyObject*>(object));
}

Invocation& invocation_of(PyObject* object) { return *reinterpret_cast<Object*>(object)->invocation; }

}  // namespace mayfly::python
