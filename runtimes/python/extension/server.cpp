#include "server.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace mayfly::python {
namespace {

constexpr std::array<const char*, static_cast<std::size_t>(Hook::count)> kHookNames{
    "begin",   "on_abort",      "on_stop",       "wake",       "receive_later", "send_later",
    "to_json", "base64_encode", "base64_decode", "authorizer", "on_call"};

/// Hooks do not raise; should one do, it is told and forgotten.
void discard(PyObject* result) {
  if (result == nullptr) PyErr_WriteUnraisable(nullptr);
  Py_XDECREF(result);
}

}  // namespace

Server::Server(Fd data, bridge::LogSender& log, bool whole_body, bool concurrent,
               std::optional<wire::Offers> offers)
    : connection_(std::move(data), *this, log),
      whole_body_(whole_body),
      concurrent_(concurrent),
      offers_(std::move(offers)) {
  connection_.calls().listen(*this);
}

bool Server::set_hooks(PyObject* dict) {
  for (std::size_t i = 0; i < hooks_.size(); ++i) {
    hooks_[i] = Ref::to(PyDict_GetItemString(dict, kHookNames[i]));
    if (hooks_[i]) continue;
    PyErr_SetString(PyExc_KeyError, kHookNames[i]);
    return false;
  }
  return true;
}

void Server::open(Fd data, std::optional<wire::Offers> offers) {
  offers_ = std::move(offers);
  connection_.open(std::move(data));
  connection_.flush();
}

// --- What the daemon says ----------------------------------------------------------------------------

PyObject* Server::find(std::uint32_t stream) const {
  const auto slot = wire::slot_of(stream);
  if (slot >= slots_.size() || !slots_[slot]) return nullptr;
  PyObject* object = slots_[slot].get();
  return invocation_of(object).stream == stream ? object : nullptr;
}

void Server::on_request(const bridge::Request& request) {
  const Ref invocation = new_invocation(*this, request);
  if (!invocation) return PyErr_WriteUnraisable(nullptr);
  const auto slot = wire::slot_of(request.stream);
  if (slot >= slots_.size()) slots_.resize(slot + 1);
  slots_[slot] = Ref::to(invocation.get());
  if (whole_body_ && request.more) {
    if (!request.body.empty())
      connection_.request_credit(request.stream, static_cast<std::uint32_t>(request.body.size()));
    return;
  }
  begin(invocation.get());
}

void Server::begin(PyObject* invocation) {
  if (concurrent_)
    discard(PyObject_CallFunctionObjArgs(hook(Hook::begin), invocation, nullptr));
  else
    queue_.push_back(Ref::to(invocation));
}

void Server::on_body(std::uint32_t stream, std::string_view chunk, bool last) {
  PyObject* object = find(stream);
  if (object == nullptr) return;
  Invocation& invocation = invocation_of(object);
  if (!chunk.empty()) invocation.parts.push_back(bytes(chunk));
  invocation.more = !last;
  if (!whole_body_) return wake(invocation);
  if (!last) return connection_.request_credit(stream, static_cast<std::uint32_t>(chunk.size()));
  begin(object);
}

void Server::on_abort(std::uint32_t stream, wire::AbortReason reason) {
  const Ref object = Ref::to(find(stream));
  if (!object) return;
  Invocation& invocation = invocation_of(object.get());
  if (invocation.aborted != wire::AbortReason{}) return;
  invocation.aborted = reason;
  invocation.full = false;
  if (whole_body_ && invocation.more) return finish(invocation);  // it was never begun
  wake(invocation);
  if (concurrent_) discard(PyObject_CallFunctionObjArgs(hook(Hook::on_abort), object.get(), nullptr));
}

void Server::on_writable(std::uint32_t stream) {
  PyObject* object = find(stream);
  if (object == nullptr) return;
  invocation_of(object).full = false;
  wake(invocation_of(object));
}

void Server::on_stop() {
  stopped_ = true;
  if (concurrent_) discard(PyObject_CallFunctionObjArgs(hook(Hook::on_stop), nullptr));
}

void Server::wake(Invocation& invocation) {
  if (!invocation.waiters) return;
  const Ref futures = std::move(invocation.waiters);
  discard(PyObject_CallFunctionObjArgs(hook(Hook::wake), futures.get(), nullptr));
}

// --- Answers -----------------------------------------------------------------------------------------

void Server::respond(Invocation& invocation, unsigned status, std::string_view head, std::string_view body,
                     bool done) {
  invocation.head_sent = invocation.complete = true;
  connection_.respond(invocation.stream, status, head, body, done);
  if (done) finish(invocation);
}

void Server::start(Invocation& invocation, unsigned status, std::string_view head) {
  invocation.head_sent = true;
  connection_.respond_start(invocation.stream, status, head);
}

void Server::write(Invocation& invocation, std::string_view chunk) {
  if (invocation.aborted == wire::AbortReason{})
    invocation.full = !connection_.respond_chunk(invocation.stream, chunk);
}

void Server::end(Invocation& invocation) {
  invocation.complete = true;
  connection_.respond_end(invocation.stream);
}

void Server::fail(Invocation& invocation, std::string_view message, std::string_view stack) {
  if (!invocation.complete)
    connection_.respond_error(
        invocation.stream,
        invocation.head_sent || invocation.answer_is_none ? wire::ErrorKind::stream : wire::ErrorKind::threw,
        message, stack);
  invocation.complete = true;
  finish(invocation);
}

void Server::finish(Invocation& invocation) {
  if (invocation.done) return;
  invocation.done = true;
  invocation.task.reset();
  connection_.done(invocation.stream);
  wake(invocation);
  forget(invocation);
}

void Server::forget(Invocation& invocation) {
  const auto slot = wire::slot_of(invocation.stream);
  if (find(invocation.stream) != nullptr) slots_[slot].reset();
}

// --- The two loops -----------------------------------------------------------------------------------

void Server::read() {
  woke_at_ = bridge::monotonic_now();
  if (!connection_.read())
    ::_exit(0);  // the daemon is gone or wants this instance gone: nobody is left to tell
}

void Server::look() {
  if (!connection_.read()) ::_exit(0);
}

void Server::rest() {
  if (woke_at_ != 0) connection_.add_busy(bridge::monotonic_now() - woke_at_);
  woke_at_ = 0;
  connection_.flush();
}

void Server::pump() {
  connection_.flush();
  wait();
}

/// For the daemon to say something, or to take what it has not taken yet: answers, or lines of the log, which
/// the next flush sends.
void Server::wait() {
  const auto events = static_cast<short>(connection_.wants_write() ? POLLIN | POLLOUT : POLLIN);
  const int log = connection_.log_waits() ? connection_.log_fd() : -1;
  std::array<pollfd, 2> sockets{{{connection_.fd(), events, 0}, {log, POLLOUT, 0}}};
  PyThreadState* state = PyEval_SaveThread();
  ::poll(sockets.data(), sockets.size(), -1);
  PyEval_RestoreThread(state);
  if ((sockets[0].revents & ~POLLOUT) != 0) read();
}

/// One invocation. It begins when the answer before it is with the daemon: whatever ends this process takes
/// nobody else along.
void Server::serve(PyObject* object) {
  Invocation& invocation = invocation_of(object);
  for (connection_.flush(); connection_.is_open(last_) || connection_.wants_write(); connection_.flush())
    wait();
  if (invocation.aborted != wire::AbortReason{}) return finish(invocation);  // while it waited
  if (offers_ && !offers_->claim(invocation.stream, bridge::monotonic_now())) {
    connection_.forget(invocation.stream);
    return forget(invocation);
  }
  last_ = invocation.stream;
  discard(PyObject_CallFunctionObjArgs(hook(Hook::begin), object, nullptr));
}

bool Server::run() {
  for (;;) {
    while (!queue_.empty()) {
      const Ref invocation = std::move(queue_.front());
      queue_.pop_front();
      serve(invocation.get());
    }
    rest();
    if (stopped_) return true;
    pump();
    if (PyErr_CheckSignals() != 0) return false;
  }
}

}  // namespace mayfly::python
