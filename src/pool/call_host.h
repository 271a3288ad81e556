// What an instance's calls need of the daemon around them.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "pool/invocation.h"
#include "wire/call.h"

namespace mayfly::pool {

enum class CallErrc {
  depth = 1,          ///< a function called a function, and so on, too often; details: limit
  not_allowed,        ///< the caller does not list the function
  topic_not_allowed,  ///< the caller does not list the topic
  no_events,          ///< nothing takes events here
  no_next,            ///< the caller is not a decorator of this invocation
  missing_decorator,  ///< a function is wrapped by one that is not there
  bad_call,           ///< it cannot be a request
  body_too_large,     ///< for the function that is called; details: limit
  caller_gone,        ///< the invocation that calls is over
};
[[nodiscard]] std::error_code make_error_code(CallErrc code);

/// Calls of calls of calls …: one more is an error. Decorators count.
inline constexpr std::uint8_t kMaxDepth = 16;

/// What calls: an invocation, as long as it has its slot.
struct Caller {
  const registry::Version* version = nullptr;
  MonotonicTime deadline{};
  std::uint8_t depth = 0;
  bool event = false;  ///< it was given an event, not an HTTP request
  std::string remote{};
  std::string_view scheme = "http";  ///< a literal
  Chain chain{};
  DeadlineOwner deadline_owner{};
};

/// What is called.
struct Callee {
  Service* service = nullptr;
  std::shared_ptr<Service> own{};  ///< keeps `service`, if it is of this call alone
  milliseconds timeout{};          ///< 0: as long as its caller has
  std::uint64_t max_request = 0;
  Chain chain{};  ///< the callee's place
  /// Whose `timeout` is, if not that of the service itself.
  DeadlineOwner deadline_owner{};
};

/// On its shard's thread. Outlives the instances.
class CallHost {
 public:
  virtual ~CallHost() = default;
  /// Errors: those of CallErrc; that there is no such function.
  [[nodiscard]] virtual Result<Callee> callee(const wire::CallHead& head, const Caller& caller) = 0;
  virtual void new_invocation_id(std::array<char, 32>& id) = 0;
};

}  // namespace mayfly::pool

template <>
struct std::is_error_code_enum<mayfly::pool::CallErrc> : std::true_type {};
