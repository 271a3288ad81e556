// An invocation whose whole answer is collected: for the admin plane.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "admin/platform.h"
#include "daemon/event_payload.h"
#include "pool/invocation.h"

namespace mayfly::daemon {

/// Holds itself until it is answered. Used on a shard's thread.
class OneInvocation final : public std::enable_shared_from_this<OneInvocation>,
                            private pool::InvocationListener {
 public:
  /// An answer longer than this is an error.
  static constexpr std::size_t kMaxBody = 64U << 20U;
  using Then = std::function<void(Result<admin::InvokeAnswer>)>;

  OneInvocation(admin::InvokeRequest request, Then then);

  pool::Invocation invocation{*this};
  const admin::InvokeRequest request;
  /// Fills in the invocation and keeps this alive until the end is heard.
  void begin(MonotonicTime now, std::chrono::milliseconds timeout);
  void fail(Error error);
  /// Nobody waits for the answer any more: as a client of the data plane that leaves.
  void leave();
  pool::Service* service = nullptr;  ///< that it was submitted to
  std::optional<EventForm>
      event_form{};  ///< that the request has: a version that takes another cannot read it
  std::shared_ptr<std::string> version{};  ///< gets "hello@3" when one was chosen; may be null

 private:
  void on_response(pool::Invocation&, unsigned status, std::string_view headers, std::string_view body,
                   bool end) override;
  void on_body(pool::Invocation&, std::string_view body, bool end) override;
  void on_request_credit(pool::Invocation&, std::size_t) override;
  void on_failure(pool::Invocation&, Error error) override;
  void finish(Result<admin::InvokeAnswer> answer);

  Then then_;
  admin::InvokeAnswer answer_;
  std::string rest_;  // of the request's body, beyond the first window
  std::size_t rest_sent_ = 0;
  std::shared_ptr<OneInvocation> self_;
};

}  // namespace mayfly::daemon
