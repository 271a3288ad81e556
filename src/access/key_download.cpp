#include "access/key_download.h"

#include <mutex>

#include "access/error.h"
#include "access/key_location.h"
#include "base/fields.h"
#include "outbound/error.h"

namespace mayfly::access {
namespace {

class Download final : public outbound::Listener, public std::enable_shared_from_this<Download> {
 public:
  using Then = std::function<void(Result<std::string>)>;
  Download(outbound::Client& client, std::string url, Then then)
      : client_(client), url_(std::move(url)), then_(std::move(then)) {}

  void start(std::chrono::seconds longest) {
    outbound::Request request{.url = url_, .timeout = longest};
    append_field(request.fields, "accept", "*/*");
    append_field(request.fields, "user-agent", "mayfly");
    const std::lock_guard lock(mutex_);  // its listener may be called before it has its number
    id_ = client_.start(std::move(request), shared_from_this());
  }

  void on_head(unsigned status, std::string) override { status_ = status; }
  bool on_body(std::string_view bytes) override {
    if (status_ != kGood || text_.size() + bytes.size() > kMostKeySetBytes) {
      is_too_large_ = status_ == kGood;
      return false;
    }
    text_ += bytes;
    const std::lock_guard lock(mutex_);
    client_.take(id_, bytes.size());
    return true;
  }
  void on_sent(std::size_t) override {}
  void on_end(Result<void> result) override {
    if (is_too_large_) return fail_with("it is larger than 1 MiB");
    if (status_ != 0 && status_ != kGood) return fail_with("it was answered " + std::to_string(status_));
    if (result) return then_(std::move(text_));
    const bool is_refused = result.error().code == outbound::OutboundErrc::address_not_allowed;
    fail_with(result.error().message + (is_refused ? " (`mayfly serve --outbound-allow` opens more)" : ""));
  }

 private:
  static constexpr unsigned kGood = 200;
  void fail_with(const std::string& why) const {
    then_(fail(AccessErrc::keys_unavailable, url_ + ": " + why));
  }

  outbound::Client& client_;
  const std::string url_;
  const Then then_;
  std::mutex mutex_;
  outbound::Client::Id id_ = 0;
  unsigned status_ = 0;
  std::string text_;
  bool is_too_large_ = false;
};

}  // namespace

void download_keys(outbound::Client& client, const std::string& url, std::chrono::seconds longest,
                   std::function<void(Result<std::string>)> then) {
  std::make_shared<Download>(client, url, std::move(then))->start(longest);
}

}  // namespace mayfly::access
