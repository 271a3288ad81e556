// The extension's functions: what boot.py and its modules call. One process of the runtime is a fork server,
// then in its children a template or an instance.

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <memory>

#include "awaitable.h"
#include "bridge/descriptors.h"
#include "bridge/huge_pages.h"
#include "bridge/log_sender.h"
#include "bridge/malloc_holes.h"
#include "calls.h"
#include "dataset.h"
#include "fork_hooks.h"
#include "invocation.h"
#include "pool_holes.h"
#include "selector.h"
#include "server.h"
#include "template/fork_server.h"

namespace mayfly::python {
namespace {

constexpr int kControlFd = 3;  // sandbox::kControlFd: where the runtime process finds its control socket

/// All that one process of the runtime is made of. A fork copies it; each child then takes its own part.
struct Process {
  std::unique_ptr<tmpl::ForkServer> fork_server;
  Fd channel{kControlFd};  // a template's control socket or an instance's data socket
  Fd offers;               // an instance's page of offers, if it has one
  ForkGuard guard{[](void* self) { static_cast<Process*>(self)->channel.reset(); }, this};
  bridge::LogSender log;
  bridge::Descriptors descriptors;
  Server* server = nullptr;
  Selector selector;
};

Process& process() {
  static auto* one = new Process;  // never destroyed: the process leaves by _exit
  return *one;
}

tmpl::ForkServer& fork_server() {
  auto& own = process();
  if (!own.fork_server) own.fork_server = std::make_unique<tmpl::ForkServer>(std::move(own.channel));
  return *own.fork_server;
}

/// The daemon's page for this instance, if it has one.
std::optional<wire::Offers> take_offers() {
  auto& own = process();
  if (!own.offers) return std::nullopt;
  auto opened = wire::Offers::open(own.offers);
  own.offers.reset();
  if (!opened) ::_exit(125);
  return std::move(*opened);
}

/// fork_server(lean, server): blocks; returns in each child the JSON that the daemon gave it. Python's
/// preparation for a fork is made once: this process runs no Python any more, so what was prepared stays so.
/// `lean`: its children are instances, which load no code. `server`, where they serve one invocation after
/// another: (hooks, whole_body), as of open_server(); then they serve at once, and this returns when they are
/// to leave. That they serve is said first: the daemon sends what they are for while they are made ready.
PyObject* run_fork_server(PyObject*, PyObject* arguments) {
  int lean = 0;
  PyObject* hooks = nullptr;
  int whole_body = 0;
  if (!PyArg_ParseTuple(arguments, "p|(Op)", &lean, &hooks, &whole_body)) return nullptr;
  auto& own = process();
  if (hooks != nullptr) {
    own.server = new Server(Fd(), own.log, whole_body != 0, false);
    if (!own.server->set_hooks(hooks)) return nullptr;
  }
  if (lean != 0) fork_leanly();
  fill_pool_holes();
  bridge::fill_malloc_holes();
  if (lean == 0) bridge::use_huge_pages();  // its templates have them too
  PyOS_BeforeFork();
  auto child = fork_server().run();
  own.fork_server.reset();
  own.channel = std::move(child.channel);
  own.offers = std::move(child.offers);
  own.log.open(std::move(child.log));
  if (own.server != nullptr) own.server->open(std::move(own.channel), take_offers());
  PyOS_AfterFork_Child();
  if (own.server != nullptr && !own.server->run()) return nullptr;
  if (lean == 0) own.descriptors.remember();
  return utf8(child.payload).release();
}

/// enter_folder(folder): what follows runs there.
PyObject* enter_folder(PyObject*, PyObject* folder) {
  const auto path = told(folder);
  if (!path.empty() && ::chdir(path.c_str()) != 0) ::_exit(125);
  return none();
}

PyObject* report(wire::ControlType type, PyObject* json) {
  process().log.drain(std::chrono::seconds(1));  // from here on it is frozen, or gone
  (void)fork_server().report(type, told(json));
  return none();
}
PyObject* ready(PyObject*, PyObject* json) { return report(wire::ControlType::ready, json); }
PyObject* failed(PyObject*, PyObject* json) { return report(wire::ControlType::failed, json); }

/// unsafe(): why this process must not be forked, as far as the system knows: a list of sentences.
PyObject* unsafe(PyObject*, PyObject*) {
  Ref list(PyList_New(0));
  for (const auto& reason : process().descriptors.reasons()) {
    const Ref text = utf8(reason);
    if (!list || !text || PyList_Append(list.get(), text.get()) != 0) return nullptr;
  }
  return list.release();
}

PyObject* threads(PyObject*, PyObject*) { return PyLong_FromLong(bridge::thread_count()); }

/// open_server(hooks, whole_body, concurrent): from here on this process is an instance.
PyObject* open_server(PyObject*, PyObject* arguments) {
  PyObject* hooks = nullptr;
  int whole_body = 0;
  int concurrent = 0;
  if (!PyArg_ParseTuple(arguments, "Opp", &hooks, &whole_body, &concurrent)) return nullptr;
  auto& own = process();
  if (own.server != nullptr) return none();  // it has served already
  own.server = new Server(std::move(own.channel), own.log, whole_body != 0, concurrent != 0, take_offers());
  if (!own.server->set_hooks(hooks)) return nullptr;
  if (concurrent != 0) own.selector.attach(own.server);
  return none();
}

/// rehearse(descriptor, play): play() serves on this socket, which becomes the server's, until its stop; then
/// all is as before.
PyObject* rehearse(PyObject*, PyObject* arguments) {
  int descriptor = -1;
  PyObject* play = nullptr;
  if (!PyArg_ParseTuple(arguments, "iO", &descriptor, &play)) return nullptr;
  auto& own = process();
  Fd channel = std::exchange(own.channel, Fd(descriptor));
  PyObject* result = PyObject_CallNoArgs(play);
  own.selector.attach(nullptr);
  delete std::exchange(own.server, nullptr);
  own.channel = std::move(channel);
  return result;
}

/// run(): serves one invocation after another until the daemon says stop.
PyObject* run(PyObject*, PyObject*) { return process().server->run() ? none() : nullptr; }

/// open_selector(epoll): see Selector::open.
PyObject* open_selector(PyObject*, PyObject* epoll) {
  const long descriptor = PyLong_AsLong(epoll);
  if (descriptor < 0) return nullptr;
  process().selector.open(static_cast<int>(descriptor));
  return none();
}

/// poll(epoll, timeout, ready, scheduled): see Selector::poll.
PyObject* poll(PyObject*, PyObject* arguments) {
  int epoll = -1;
  double timeout = 0;
  PyObject* ready_queue = nullptr;
  PyObject* scheduled = nullptr;
  if (!PyArg_ParseTuple(arguments, "idOO", &epoll, &timeout, &ready_queue, &scheduled)) return nullptr;
  return process().selector.poll(epoll, timeout, ready_queue, scheduled);
}

PyObject* wake(PyObject*, PyObject*) {
  process().selector.wake();
  return none();
}

Server* serving() {
  if (process().server == nullptr) PyErr_SetString(PyExc_RuntimeError, "nothing is served yet");
  return process().server;
}

/// call(stream, kind, name, method, target, pairs, body, last, event): see begin_call().
PyObject* call(PyObject*, PyObject* arguments) {
  Server* server = serving();
  return server != nullptr ? begin_call(*server, arguments) : nullptr;
}

/// call_body(call, chunk): False when no more should be sent before on_call says so.
PyObject* call_body(PyObject*, PyObject* arguments) {
  unsigned id = 0;
  PyObject* chunk = nullptr;
  std::string text;
  if (!PyArg_ParseTuple(arguments, "IO", &id, &chunk) || !append_bytes(chunk, text)) return nullptr;
  Server* server = serving();
  return server != nullptr ? boolean(server->connection().calls().body(id, text)) : nullptr;
}

PyObject* call_end(PyObject*, PyObject* id) {
  if (Server* server = serving())
    server->connection().calls().end_body(static_cast<std::uint32_t>(PyLong_AsUnsignedLong(id)));
  return none();
}

PyObject* call_abort(PyObject*, PyObject* id) {
  if (Server* server = serving())
    server->connection().calls().abort(static_cast<std::uint32_t>(PyLong_AsUnsignedLong(id)));
  return none();
}

/// call_credit(call, bytes)
PyObject* call_credit(PyObject*, PyObject* arguments) {
  unsigned id = 0;
  unsigned count = 0;
  if (!PyArg_ParseTuple(arguments, "II", &id, &count)) return nullptr;
  if (Server* server = serving()) server->connection().calls().credit(id, count);
  return none();
}

/// pump(): waits for the daemon to say something. Where invocations run one at a time.
PyObject* pump(PyObject*, PyObject*) {
  Server* server = serving();
  if (server == nullptr) return nullptr;
  server->pump();
  return PyErr_CheckSignals() != 0 ? nullptr : none();
}

/// invocation(stream): the one that has this slot, or None.
PyObject* find_invocation(PyObject*, PyObject* stream) {
  Server* server = process().server;
  PyObject* found =
      server != nullptr ? server->find(static_cast<std::uint32_t>(PyLong_AsUnsignedLong(stream))) : nullptr;
  return Py_NewRef(found != nullptr ? found : Py_None);
}

/// log(level, text, stream): one entry. stream 0: of no invocation.
PyObject* log(PyObject*, PyObject* arguments) {
  unsigned char level = 0;
  PyObject* text = nullptr;
  unsigned stream = 0;
  if (!PyArg_ParseTuple(arguments, "bOI", &level, &text, &stream)) return nullptr;
  auto entry = told(text);
  const auto full = static_cast<std::uint32_t>(std::min<std::size_t>(entry.size(), UINT32_MAX));
  if (entry.size() > wire::kMaxLogText) {
    std::size_t size = wire::kMaxLogText;
    while ((static_cast<unsigned char>(entry[size]) & 0xc0U) == 0x80) --size;  // not inside of a character
    entry.resize(size);
  }
  if (process().server != nullptr)
    process().server->connection().log(static_cast<wire::LogLevel>(level), entry, full, stream);
  else
    process().log.log({static_cast<wire::LogLevel>(level), {}, entry, full, 0});
  return none();
}

/// fatal(kind, message, stack): tells why this instance ends, and ends it. kind: "uncaught", or "exit" with
/// the status as the message. Only an instance may call it, serving or not yet.
PyObject* fatal(PyObject*, PyObject* arguments) {
  const char* kind = nullptr;
  PyObject* message = nullptr;
  PyObject* stack = nullptr;
  if (!PyArg_ParseTuple(arguments, "sOO", &kind, &message, &stack)) return nullptr;
  process().log.flush();
  const auto fatal_kind =
      std::string_view(kind) == "exit" ? wire::FatalKind::exit : wire::FatalKind::uncaught;
  auto& own = process();
  if (own.server == nullptr) own.server = new Server(std::move(own.channel), own.log, false, false);
  own.server->connection().fatal(fatal_kind, told(message), told(stack));
}

/// exit(status): at once, when what waits was sent.
PyObject* exit_now(PyObject*, PyObject* arguments) {
  int status = 0;
  if (!PyArg_ParseTuple(arguments, "i", &status)) return nullptr;
  auto* server = process().server;
  if (server != nullptr && !server->connection().forked()) server->connection().drain();
  process().log.drain(std::chrono::seconds(1));
  ::_exit(status);
}

/// expire(seconds): this process ends after so long, whatever it does.
PyObject* expire(PyObject*, PyObject* arguments) {
  unsigned seconds = 0;
  if (!PyArg_ParseTuple(arguments, "I", &seconds)) return nullptr;
  std::signal(SIGALRM, [](int) { ::_exit(0); });
  ::alarm(seconds);
  return none();
}

PyMethodDef functions[] = {{"fork_server", run_fork_server, METH_VARARGS, nullptr},
                           {"keep_hooks", keep_hooks, METH_VARARGS, nullptr},
                           {"before_fork", before_fork, METH_NOARGS, nullptr},
                           {"after_fork", after_fork, METH_NOARGS, nullptr},
                           {"enter_folder", enter_folder, METH_O, nullptr},
                           {"map_dataset", map_dataset, METH_VARARGS, nullptr},
                           {"ready", ready, METH_O, nullptr},
                           {"failed", failed, METH_O, nullptr},
                           {"unsafe", unsafe, METH_NOARGS, nullptr},
                           {"threads", threads, METH_NOARGS, nullptr},
                           {"open_server", open_server, METH_VARARGS, nullptr},
                           {"rehearse", rehearse, METH_VARARGS, nullptr},
                           {"run", run, METH_NOARGS, nullptr},
                           {"open_selector", open_selector, METH_O, nullptr},
                           {"wake", wake, METH_NOARGS, nullptr},
                           {"poll", poll, METH_VARARGS, nullptr},
                           {"call", call, METH_VARARGS, nullptr},
                           {"call_body", call_body, METH_VARARGS, nullptr},
                           {"call_end", call_end, METH_O, nullptr},
                           {"call_abort", call_abort, METH_O, nullptr},
                           {"call_credit", call_credit, METH_VARARGS, nullptr},
                           {"pump", pump, METH_NOARGS, nullptr},
                           {"invocation", find_invocation, METH_O, nullptr},
                           {"log", log, METH_VARARGS, nullptr},
                           {"fatal", fatal, METH_VARARGS, nullptr},
                           {"exit", exit_now, METH_VARARGS, nullptr},
                           {"expire", expire, METH_VARARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

PyModuleDef module{
    PyModuleDef_HEAD_INIT, "mayfly_bridge", nullptr, -1, functions, nullptr, nullptr, nullptr, nullptr};

}  // namespace
}  // namespace mayfly::python

PyMODINIT_FUNC PyInit_mayfly_bridge() {
  using namespace mayfly::python;
  Ref made(PyModule_Create(&module));
  if (!made || !make_awaitables(made.get()) || !make_invocation_type(made.get())) return nullptr;
  (void)names();
  return made.release();
}
