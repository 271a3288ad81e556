#include "daemon/event_delivery.h"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "daemon/event_payload.h"
#include "daemon/event_verdict.h"
#include "pipelines/role.h"

namespace mayfly::daemon {
namespace {

/// One attempt, on its function's shard.
class ShardAttempt final : public events::Attempting {
 public:
  ShardAttempt(Shard& shard, std::shared_ptr<OneInvocation> one) : shard_(shard), one_(std::move(one)) {}
  void cancel() override {
    shard_.post([one = one_] { one->leave(); });
  }

 private:
  Shard& shard_;
  std::shared_ptr<OneInvocation> one_;
};

}  // namespace

std::shared_ptr<events::Attempting> EventDelivery::deliver(
    events::Task task, std::function<void(std::vector<events::Verdict>)> then) {
  const auto& first = *task.items.front().event;
  if (first.form == events::Form::callback) return callbacks_->deliver(std::move(task), std::move(then));
  if (task.function.starts_with(events::kPipelinePrefix)) {
    if (!pipelines::is_call(first)) {  // what its end decides is all that there is to it
      boost::asio::post(executor_, [then = std::move(then)] { then({events::Verdict{}}); });
      return nullptr;
    }
    task.function = first.target;
  }
  auto request = event_request(task);
  const auto form = form_of(task);
  auto held = std::make_shared<events::Task>(std::move(task));
  auto version = std::make_shared<std::string>();
  auto one = std::make_shared<OneInvocation>(
      std::move(request), [executor = executor_, held, version, then = std::move(then)](auto result) {
        auto verdicts = verdicts_of(*held, result, *version);
        boost::asio::post(executor,
                          [then, verdicts = std::move(verdicts)]() mutable { then(std::move(verdicts)); });
      });
  one->version = version;
  one->invocation.attempt = static_cast<std::uint32_t>(std::max(1, held->items.front().attempt));
  one->event_form = form;
  const auto name = held->function.substr(0, held->function.find('@'));
  auto& shard = *shards_[home_shard(name, static_cast<unsigned>(shards_.size()))];
  shard.post([&shard, one] { shard.invoke(one); });
  return std::make_shared<ShardAttempt>(shard, one);
}

}  // namespace mayfly::daemon
