// The calls that an instance's invocations have open: each is an invocation of its own, whose answer goes to
// the instance.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "pool/call_host.h"

namespace mayfly::pool {

/// Where frames for the instance go.
class CallOutput {
 public:
  virtual ~CallOutput() = default;
  /// Frames are appended to it; call written() after that.
  [[nodiscard]] virtual std::string& frames() = 0;
  virtual void written() = 0;
};

/// Belongs to one instance, and to its shard's thread. It keeps no bodies: what may be under way for one call
/// is a window each way, and the other end gives credit for it.
class Calls {
 public:
  Calls(CallHost& host, CallOutput& output) : host_(host), output_(output) {}
  ~Calls() { end_all(); }
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;

  /// A `call` frame. `caller` is null when its invocation is over. The text is what the instance did wrong,
  /// so that it is to be ended; empty: nothing.
  [[nodiscard]] std::string_view open(const wire::Frame& frame, const wire::CallHead& head,
                                      std::string_view body, const Caller* caller);
  /// Any other frame of a call: likewise.
  [[nodiscard]] std::string_view handle(const wire::Frame& frame);
  /// The invocation of this stream is over, or nobody waits for it: nor for its calls.
  void end_of(std::uint32_t stream);
  void end_all();
  /// For an error of a caller that waited: " (it waited for …)"; empty if it did not.
  [[nodiscard]] std::string waiting_text(std::uint32_t stream) const;
  [[nodiscard]] std::size_t open_calls() const { return open_; }

 private:
  struct Call final : InvocationListener {
    void on_response(Invocation&, unsigned status, std::string_view headers, std::string_view body,
                     bool end) override;
    void on_body(Invocation&, std::string_view body, bool end) override;
    void on_request_credit(Invocation&, std::size_t bytes) override;
    void on_failure(Invocation&, Error error) override;

    /// Its name, and that it has not begun.
    [[nodiscard]] std::string described() const;

    Calls* calls = nullptr;
    std::uint32_t id = 0;  ///< 0: free
    std::uint32_t stream = 0;
    Service* service = nullptr;
    std::shared_ptr<Service> own;  ///< see Callee; until the slot is used again, since it may be what ends it
    Invocation invocation{*this};
    std::string name;            ///< of what is called, for errors
    std::string text;            ///< what the views of the invocation are into
    std::uint64_t window = 0;    ///< bytes of the request's body that may still come
    std::uint64_t received = 0;  ///< of it
    std::uint64_t max_request = 0;
    std::uint64_t unread = 0;  ///< bytes of the answer that it was sent and gave no credit for
    bool body_done = false;
  };

  Call* find(std::uint32_t id);
  [[nodiscard]] bool takes_number(std::uint32_t id) const;
  Call& take(std::uint32_t id, std::uint32_t stream);
  void fill(Call& call, const wire::CallHead& head, std::string_view body, const Caller& caller,
            Callee& callee);
  [[nodiscard]] std::string_view body(Call& call, const wire::Frame& frame);
  void release(Call& call);
  void cancel(Call& call);
  void answer(std::uint32_t id, const Error& error);

  CallHost& host_;
  CallOutput& output_;
  std::deque<Call> calls_;         // by the slot of their number
  std::vector<std::uint16_t> of_;  // open calls, by the slot of the stream that they are of
  std::size_t open_ = 0;
  // The last call whose deadline came: that of its caller comes with it, in any order.
  std::uint32_t expired_of_ = 0;
  std::string expired_;
};

}  // namespace mayfly::pool
