#include "exec/cgi_invocation.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "exec/cgi_environment.h"
#include "exec/headers.h"

namespace mayfly::exec {
namespace {

/// What a short answer may take from its first byte to the end of its process and still be sent as a whole:
/// then a process that fails is a clean failure, and the answer has a length. A longer one is streamed.
constexpr milliseconds kPatience{20};
constexpr std::size_t kHeldBytes = 64U << 10U;
/// Of what may still be in the pipe of a process that has ended, and that no one else fills for ever.
constexpr int kReadsAfterEnd = 64;

/// A signal by its name alone: the daemon looks for some (src/pool/failure.cpp:describe_handler_error).
std::string reason_of(const ExitStatus& status) {
  constexpr int kShellSaysSigsys = 128 + SIGSYS;
  auto words = describe(status);
  if (status.how == ExitStatus::How::exited && status.value == kShellSaysSigsys)
    words += ": what shells say of a program that made a forbidden system call";
  return words;
}

}  // namespace

CgiInvocation::CgiInvocation(Loop& loop, bridge::Connection& connection, std::uint32_t stream,
                             std::function<void(CgiInvocation&)> ended)
    : loop_(loop),
      connection_(connection),
      stream_(stream),
      id_(connection.invocation(stream)),
      ended_(std::move(ended)),
      exit_(loop.reactor()),
      input_(loop.reactor()),
      output_(loop.reactor()),
      errors_(loop.reactor(), [this](std::string_view text, std::size_t length) {
        connection_.log(wire::LogLevel::info, text, static_cast<std::uint32_t>(length), stream_);
      }) {}

CgiInvocation::~CgiInvocation() {
  if (due_) loop_.cancel(*due_);
}

// --- Start -----------------------------------------------------------------------------------------

void CgiInvocation::start(std::string executable, std::vector<std::string> environment,
                          const bridge::Request& request) {
  if (request.more && bridge::header_value(request.head.headers, "content-length").empty())
    waiting_ = Waiting{std::move(executable), std::move(environment)};
  else
    begin(executable, std::move(environment));
  take_body(request.body, !request.more);
}

void CgiInvocation::begin(const std::string& executable, std::vector<std::string> environment) {
  const auto launched = launch(executable, std::move(environment));
  if (launched) return;
  fail(launched.error().message, {});
  finish();
}

Result<void> CgiInvocation::launch(const std::string& executable, std::vector<std::string> environment) {
  auto in = pipe_to_child();
  auto out = pipe_from_child();
  auto err = pipe_from_child();
  for (auto* pipe : {&in, &out, &err})
    if (!*pipe) return propagate(*pipe);
  auto child = Child::start(
      {.argv = {executable},
       .environment = std::move(environment),
       .descriptors = with_files({{in->theirs.get(), 0}, {out->theirs.get(), 1}, {err->theirs.get(), 2}})});
  if (!child) return propagate(child);
  child_ = std::move(*child);
  exit_.open(Fd(::fcntl(child_.pidfd(), F_DUPFD_CLOEXEC, 0)), EPOLLIN, [this] { on_exit(); });
  input_.open(std::move(in->ours), EPOLLOUT, [this] { write_input(); });
  input_.pause();
  input_open_ = true;
  output_.open(std::move(out->ours), EPOLLIN, [this] { read_output(); });
  errors_.open(std::move(err->ours));
  return {};
}

void CgiInvocation::refuse(std::uint32_t status, std::string_view text) {
  std::string headers;
  append_field(headers, "content-type", "text/plain; charset=utf-8");
  connection_.respond(stream_, status, headers, text, false);
  finish();
}

// --- The request's body ----------------------------------------------------------------------------

void CgiInvocation::take_body(std::string_view bytes, bool last) {
  body_ends_ = last;
  if (finished_) return;
  body_.append(bytes);
  if (waiting_)
    hold(bytes.size());
  else
    write_input();
}

/// Programs that keep to RFC 3875 read as many bytes as CONTENT_LENGTH says, and would take a body without it
/// for none.
void CgiInvocation::hold(std::size_t more) {
  if (!body_ends_ && body_.size() <= kMostHeld) {
    granted_ += more;
    if (more > 0) connection_.request_credit(stream_, static_cast<std::uint32_t>(more));
    return;
  }
  auto [executable, environment] = *std::exchange(waiting_, std::nullopt);
  if (body_ends_) {
    set_length(environment, body_.size());
  } else {
    constexpr std::string_view kWords =
        "the request's body is longer than 1 MiB and came without a length: CONTENT_LENGTH is empty, and the "
        "body ends where the input does";
    connection_.log(wire::LogLevel::info, kWords, static_cast<std::uint32_t>(kWords.size()), stream_);
  }
  begin(executable, std::move(environment));
  if (!finished_) write_input();
}

/// The client may send as much again as was consumed of body_.
void CgiInvocation::grant(std::size_t consumed) {
  const auto before = std::min(granted_, consumed);
  granted_ -= before;
  if (consumed > before && !body_ends_)
    connection_.request_credit(stream_, static_cast<std::uint32_t>(consumed - before));
}

void CgiInvocation::write_input() {
  if (!input_open_) {  // it does not want the rest: the client may send it and is then done with it
    grant(body_.size());
    return body_.clear();
  }
  std::string_view rest = body_;
  while (!rest.empty()) {
    const ssize_t sent = ::write(input_.fd(), rest.data(), rest.size());
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) break;
    if (sent < 0) return end_input();
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  const auto written = body_.size() - rest.size();
  body_.erase(0, written);
  grant(written);
  if (body_.empty() && body_ends_) return end_input();
  if (body_.empty())
    input_.pause();
  else
    input_.resume(EPOLLOUT);
}

void CgiInvocation::end_input() {
  input_.close();
  input_open_ = false;
  if (!body_.empty()) write_input();
}

// --- The answer ------------------------------------------------------------------------------------

void CgiInvocation::read_output() {
  std::array<char, 65536> buffer;
  const ssize_t got = ::read(output_.fd(), buffer.data(), buffer.size());
  if (got < 0 && errno == EINTR) return;
  if (got < 0 && errno == EAGAIN) {
    if (!status_) return;
    output_ended_ = true;  // the process is gone; who else holds the pipe is not asked for
  } else {
    output_ended_ = got <= 0;
  }
  if (output_ended_) output_.close();
  take_output({buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0}, output_ended_);
  if (output_ended_ && status_) finish();
}

/// The process is gone: what is in the pipe is all there is, and nothing announces its end if a process that
/// it left behind holds the pipe.
void CgiInvocation::drain_output() {
  for (int reads = 0; reads < kReadsAfterEnd && output_.joined(); ++reads) read_output();
  if (!output_.joined()) return;
  output_ended_ = true;
  finish();
}

void CgiInvocation::take_output(std::string_view bytes, bool end) {
  if (aborted_) return;
  if (answer_.state() == CgiOutput::State::undecided) {
    const auto state = answer_.take(bytes, end);
    if (state == CgiOutput::State::wrong) child_.kill(SIGKILL);  // nothing that it could add is wanted
    if (state != CgiOutput::State::decided) return;
    held_ = std::move(answer_.body());
    be_patient();
  } else if (answer_.state() == CgiOutput::State::wrong) {
    return;
  } else if (!head_sent_) {
    held_.append(bytes);
    if (end) be_patient();
  } else if (end) {
    be_patient();
  } else if (!connection_.respond_chunk(stream_, bytes)) {
    output_.pause();
  }
  if (!head_sent_ && held_.size() >= kHeldBytes) send_head();
}

/// The answer begins, and after its last byte ends, a little later than it could: how the process ends may be
/// known by then.
void CgiInvocation::be_patient() {
  if (due_) loop_.cancel(*due_);
  due_ = loop_.at(std::chrono::steady_clock::now() + kPatience, [this] {
    due_.reset();
    if (finished_) return;
    if (!head_sent_) send_head();
    if (output_ended_) end_answer();
  });
}

void CgiInvocation::send_head() {
  head_sent_ = true;
  connection_.respond_start(stream_, answer_.status(), answer_.headers());
  const auto held = std::exchange(held_, {});
  if (!held.empty() && !connection_.respond_chunk(stream_, held)) output_.pause();
}

/// The output is all there, perhaps long before the process ends.
void CgiInvocation::end_answer() {
  if (!std::exchange(answer_ended_, true)) connection_.respond_end(stream_);
}

void CgiInvocation::writable() {
  if (output_ended_) return;
  output_.resume(EPOLLIN);
  if (status_) drain_output();
}

void CgiInvocation::abort() {
  aborted_ = true;
  if (waiting_) return finish();
  held_.clear();
  child_.kill(SIGKILL);
  if (status_) return finish();
  if (!output_ended_) output_.resume(EPOLLIN);  // perhaps it waited for a client that has left
}

// --- The end ---------------------------------------------------------------------------------------

void CgiInvocation::on_exit() {
  status_ = child_.try_wait();  // kills what is left of its group
  if (!status_) return;
  exit_.close();
  input_.close();
  input_open_ = false;
  if (!body_.empty()) write_input();
  errors_.finish();
  if (output_ended_ || aborted_) return finish();
  // What it wrote before it ended is still in the pipe, and flow-controlled as before.
  drain_output();
}

void CgiInvocation::succeed() {
  if (!head_sent_) return connection_.respond(stream_, answer_.status(), answer_.headers(), held_, false);
  end_answer();
}

void CgiInvocation::fail(std::string_view message, std::string_view stack, bool answer_is_none) {
  if (answer_ended_) {  // too late for the caller
    const auto text = "after its answer the process ended: " + std::string(message);
    return connection_.log(wire::LogLevel::error, text, static_cast<std::uint32_t>(text.size()), stream_);
  }
  const bool broken = answer_is_none || connection_.has_head(stream_);
  connection_.respond_error(stream_, broken ? wire::ErrorKind::stream : wire::ErrorKind::threw, message,
                            stack);
}

void CgiInvocation::finish() {
  if (std::exchange(finished_, true)) return;
  output_.close();
  if (status_ && !aborted_) {
    if (answer_.state() == CgiOutput::State::wrong)
      fail(answer_.mistake(), errors_.tail(), true);
    else if (status_->success())
      succeed();
    else
      fail(reason_of(*status_), errors_.tail());
  }
  connection_.done(stream_);
  ended_(*this);
}

}  // namespace mayfly::exec
