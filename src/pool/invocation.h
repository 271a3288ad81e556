// One invocation: a request or an event on its way to an instance and back.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "pool/chain.h"
#include "wire/frame.h"

namespace mayfly::pool {

struct Invocation;

/// Hears what becomes of an invocation. Called on its shard's thread. After an end (`end` true, or
/// on_failure) the platform has forgotten the invocation and it may be reused or destroyed, also from
/// inside the call.
class InvocationListener {
 public:
  virtual ~InvocationListener() = default;
  /// The answer's head and the first part of its body. `headers` is "name\0value\0…", not validated.
  virtual void on_response(Invocation& invocation, unsigned status, std::string_view headers,
                           std::string_view body, bool end) = 0;
  virtual void on_body(Invocation& invocation, std::string_view body, bool end) = 0;
  /// The handler took `bytes` of the request's body: as many more may be sent.
  virtual void on_request_credit(Invocation& invocation, std::size_t bytes) = 0;
  /// There is no answer, or (after on_response) no rest of it.
  virtual void on_failure(Invocation& invocation, Error error) = 0;
};

/// What an invocation has begun in, which takes the rest of it: an instance, or who hands it on to one.
class Runner {
 public:
  virtual ~Runner() = default;
  /// More of the request's body; the caller keeps within the credit it has.
  virtual void send_body(Invocation& invocation, std::string_view bytes, bool end) = 0;
  /// The caller took `bytes` of the answer's body.
  virtual void credit(Invocation& invocation, std::size_t bytes) = 0;
  /// The answer is not wanted any more: the listener hears nothing of it from now on.
  virtual void abandon(Invocation& invocation, wire::AbortReason reason) = 0;
};

/// Takes invocations: a version's scheduler, or what stands in for a function. On its shard's thread.
class Service {
 public:
  virtual ~Service() = default;
  /// Take an invocation. Its listener may be called before this returns. The invocation must stay until
  /// its listener heard the end, or cancel().
  virtual void submit(Invocation& invocation) = 0;
  /// The caller has left: forget it, and tell the handler. The listener hears nothing any more.
  virtual void cancel(Invocation& invocation) = 0;
};

/// Whose limit a deadline is, if not that of the function that runs: its caller's, or that of the function
/// that it is wrapped around.
struct DeadlineOwner {
  std::string function{};  ///< "front@2"; empty: the function's own
  milliseconds limit{};
};

/// Owned by whoever waits for the answer; belongs to one shard's thread.
struct Invocation {
  explicit Invocation(InvocationListener& l) : listener(&l) {}
  Invocation(const Invocation&) = delete;
  Invocation& operator=(const Invocation&) = delete;

  // The request: filled in before it is submitted.
  std::array<char, 32> id{};  ///< hexadecimal, unique
  MonotonicTime accepted{};   ///< when the platform took it
  MonotonicTime deadline{};   ///< waiting included
  std::uint32_t attempt = 1;  ///< of an event that is delivered
  bool event = false;         ///< the body is an event's payload, not an HTTP request's
  std::string_view method{};  ///< these views must stay valid until it has begun
  std::string_view target{};
  std::string_view remote{};
  std::string_view scheme = "http";
  std::string headers{};  ///< "name\0value\0…", names in lower case
  std::string body{};     ///< what came of the body so far; cleared when it cannot begin any more elsewhere
  bool body_complete = true;
  std::uint8_t depth = 0;          ///< how many calls of functions led to it
  Chain chain{};                   ///< of decorators, of which this is one
  DeadlineOwner deadline_owner{};  ///< whose `deadline` is

  // Where it is: kept by scheduler and pool.
  enum class State { idle, waiting, running } state = State::idle;
  MonotonicTime started{};    ///< when it was given to an instance; with the answer: when it began
  MonotonicTime answered{};   ///< when the whole answer was there
  nanoseconds start_cost{0};  ///< part of the wait: an instance, perhaps a template, was made
  Runner* runner = nullptr;   ///< while it runs
  std::uint32_t stream = 0;
  int lost = 0;  ///< instances that died while they had it and nothing ran in them
  InvocationListener* listener;
  Invocation* previous = nullptr;  ///< neighbours in the scheduler's queue
  Invocation* next = nullptr;

  [[nodiscard]] std::string_view id_text() const { return {id.data(), id.size()}; }
};

}  // namespace mayfly::pool
