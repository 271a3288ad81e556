// What an instance's invocations ask of the daemon: frames of calls, checked and passed on.
#include "pool/instance.h"

namespace mayfly::pool {

void Instance::handle_call(const wire::Frame& frame) {
  std::string_view problem;
  if (frame.type == wire::FrameType::call) {
    problem = open_call(frame);
  } else if (calls_) {
    problem = calls_->handle(frame);
  }
  if (!problem.empty()) violated(problem);
}

std::string_view Instance::open_call(const wire::Frame& frame) {
  CallHost* host = owner_.call_host();
  if (host == nullptr) return "called a function, which nothing here can";
  std::string_view body;
  const auto head = wire::parse_call_head(frame, body);
  if (!head) return "sent a call that is none";
  if (!calls_) calls_ = std::make_unique<Calls>(*host, static_cast<CallOutput&>(*this));
  const Stream* stream = find(head->caller);
  if (stream == nullptr || stream->overdue) return calls_->open(frame, *head, body, nullptr);
  const Caller caller{owner_.version_of_calls(),
                      stream->ends,
                      stream->depth,
                      stream->event,
                      stream->remote,
                      stream->scheme,
                      stream->chain,
                      stream->deadline_owner};
  return calls_->open(frame, *head, body, &caller);
}

/// An invocation is about to be sent: what its calls will have of it.
void Instance::note_caller(Stream& stream, const Invocation& invocation) {
  stream.ends = invocation.deadline;
  stream.depth = invocation.depth;
  stream.event = invocation.event;
  stream.remote.assign(invocation.remote);
  stream.scheme = invocation.scheme == "https" ? "https" : "http";
  stream.chain = invocation.chain;
  stream.deadline_owner = invocation.deadline_owner;
}

}  // namespace mayfly::pool
