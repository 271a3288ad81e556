// A request that the platform answers itself: its body is collected, then it is answered at once or later.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <string>
#include <utility>

#include "base/deadline_wheel.h"
#include "base/together.h"
#include "pool/invocation.h"

namespace mayfly::intake {

enum class IntakeErrc {
  body_too_large = 1,  ///< details: limit
  no_answer,           ///< the store did not answer in time; perhaps the event was accepted
  bad_request,
  not_allowed,  ///< the method is not one for this; details: allow
};
[[nodiscard]] std::error_code make_error_code(IntakeErrc code);

/// Where it runs.
struct Place {
  boost::asio::any_io_executor executor;  ///< of the shard's thread
  DeadlineWheel& deadlines;               ///< the shard's; outlives the request
};

/// Bytes of bodies that all requests of the process may hold together; beyond it they are refused.
inline constexpr std::size_t kMaxHeldBodies = 128U << 20U;

/// One request; belongs to its shard's thread. Held by shared_ptr: who answers later may come after the
/// client has left.
class LocalRequest : public pool::Service,
                     public std::enable_shared_from_this<LocalRequest>,
                     private pool::Runner,
                     private DeadlineEntry {
 public:
  LocalRequest(Place place, std::size_t max_body) : place_(std::move(place)), max_body_(max_body) {}
  ~LocalRequest() override { release(); }

  void submit(pool::Invocation& invocation) final;
  void cancel(pool::Invocation& invocation) final;

 protected:
  /// All of it is there. The invocation's views are valid during the call.
  virtual void on_request(const pool::Invocation& invocation, std::string body) = 0;

  /// `headers` is "name\0value\0…". Nothing happens if the client has left. On the shard's thread.
  void answer(unsigned status, const std::string& headers, const std::string& body);
  void answer_json(unsigned status, const std::string& json, std::string headers = {});
  void refuse(Error error);
  /// The answer's Mayfly-Invocation is this.
  void name(const std::string& id);

  /// A callback for another thread, that goes on with a `Result<T>` here.
  template <class T, class F>
  std::function<void(Result<T>)> here(F f) {
    return
        [self = shared_from_this(), executor = place_.executor, f = std::move(f)](Result<T> result) mutable {
          auto held = std::make_shared<Result<T>>(std::move(result));
          Together::post(executor, [self, held, f = std::move(f)]() mutable { f(std::move(*held)); });
        };
  }

 private:
  void send_body(pool::Invocation& invocation, std::string_view bytes, bool end) final;
  void credit(pool::Invocation&, std::size_t) final {}
  void abandon(pool::Invocation& invocation, wire::AbortReason) final { cancel(invocation); }
  void on_deadline() final;
  void later(std::function<void()> work);
  void hold(std::string_view bytes);
  void release();
  [[nodiscard]] bool too_much() const { return body_.size() > max_body_ || overloaded_; }
  void complete();
  pool::Invocation* detach();

  Place place_;
  std::size_t max_body_;
  pool::Invocation* invocation_ = nullptr;  // null: nobody waits for an answer any more
  std::string body_;
  std::size_t held_ = 0;     // bytes of it, as counted with those of all others
  bool overloaded_ = false;  // all of them together hold too much
};

}  // namespace mayfly::intake

template <>
struct std::is_error_code_enum<mayfly::intake::IntakeErrc> : std::true_type {};
