#include "callbacks/sender.h"

#include <boost/asio/post.hpp>
#include <mutex>

#include "base/fields.h"
#include "base/text.h"
#include "outbound/url.h"

namespace mayfly::callbacks {

using events::Verdict;

namespace {

constexpr std::chrono::milliseconds kConnect{5'000};
constexpr std::chrono::milliseconds kWhole{15'000};
/// Of an answer: more is not read.
constexpr std::size_t kMostAnswer = 64U << 10U;
constexpr std::int64_t kLongestDelay = 86'400;

Verdict failed(const Error& error) {
  Verdict verdict;
  verdict.kind = Verdict::Kind::failed;
  verdict.type = "urn:mayfly:" + std::string(error.code.category().name()) + ":" + error.code.message();
  verdict.message = error.message;
  return verdict;
}

std::optional<std::chrono::milliseconds> delay_of(const std::string& fields) {
  std::optional<std::chrono::milliseconds> delay;
  for_each_field(fields, [&](std::string_view name, std::string_view value) {
    const auto seconds = name == "retry-after" ? parse_integer(value) : std::nullopt;
    if (seconds && *seconds >= 0) delay = std::chrono::seconds(std::min(*seconds, kLongestDelay));
  });
  return delay;
}

Verdict verdict_of(unsigned status, const std::string& fields) {
  Verdict verdict;
  verdict.answer = events::Answer{status, {}, {}};
  if (status >= 200 && status < 300) return verdict;
  verdict.kind = status == 410 ? Verdict::Kind::hopeless : Verdict::Kind::failed;
  verdict.type = "status";
  verdict.message = "answered with status " + std::to_string(status);
  verdict.delay = delay_of(fields);
  return verdict;
}

/// One attempt. Its verdict is told once, by whichever thread comes first.
class Attempt final : public outbound::Listener {
 public:
  using Then = std::function<void(std::vector<Verdict>)>;
  Attempt(boost::asio::any_io_executor executor, Then then)
      : executor_(std::move(executor)), then_(std::move(then)) {}

  void on_head(unsigned status, std::string fields) override {
    status_ = status;
    fields_ = std::move(fields);
  }
  bool on_body(std::string_view bytes) override {
    read_ += bytes.size();
    return read_ <= kMostAnswer;
  }
  void on_sent(std::size_t) override {}
  /// Whatever became of the answer's body.
  void on_end(Result<void> result) override {
    tell(status_ != 0 ? verdict_of(status_, fields_) : failed(result.error()));
  }

  void tell(Verdict verdict) {
    Then then;
    {
      const std::lock_guard lock(mutex_);
      then.swap(then_);
    }
    if (!then) return;
    boost::asio::post(executor_, [then = std::move(then), its = std::move(verdict)] { then({its}); });
  }

 private:
  const boost::asio::any_io_executor executor_;
  std::mutex mutex_;
  Then then_;
  unsigned status_ = 0;
  std::string fields_{};
  std::size_t read_ = 0;
};

class Cancelling final : public events::Attempting {
 public:
  Cancelling(outbound::Client& client, outbound::Client::Id id, std::shared_ptr<Attempt> attempt)
      : client_(client), id_(id), attempt_(std::move(attempt)) {}
  void cancel() override {
    client_.cancel(id_);
    attempt_->tell(failed(Error{outbound::OutboundErrc::stopped, "it was cancelled", {}}));
  }

 private:
  outbound::Client& client_;
  const outbound::Client::Id id_;
  std::shared_ptr<Attempt> attempt_;
};

}  // namespace

Sender::Sender(Secret secret, const outbound::AddressRules& addresses, const Clock& clock)
    : secret_(std::move(secret)), clock_(clock), client_({.rules = &addresses, .most = 1'000}) {}

std::shared_ptr<events::Attempting> Sender::deliver(events::Task task,
                                                    std::function<void(std::vector<Verdict>)> then) {
  const auto& item = task.items.front();
  const auto attempt = std::make_shared<Attempt>(executor_, std::move(then));
  const auto url = outbound::parse_url(item.event->target);
  if (!url) {
    attempt->tell(failed(url.error()));
    return nullptr;
  }
  const auto id = events::to_text(item.id);
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(clock_.wall().time_since_epoch()).count();
  outbound::Request request;
  request.method = "POST";
  request.url = item.event->target;
  append_field(request.fields, "content-type", "application/json");
  append_field(request.fields, "user-agent", "mayfly");
  append_field(request.fields, "webhook-id", id);
  append_field(request.fields, "webhook-timestamp", std::to_string(seconds));
  append_field(request.fields, "webhook-signature", secret_.sign(id, seconds, item.event->body));
  request.body = item.event->body;
  request.connect_timeout = kConnect;
  request.timeout = kWhole;
  const auto exchange = client_.start(std::move(request), attempt);
  return std::make_shared<Cancelling>(client_, exchange, attempt);
}

}  // namespace mayfly::callbacks
