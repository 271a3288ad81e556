#include "outbound/client.h"

#include <mutex>
#include <unordered_map>
#include <vector>

#include "outbound/exchange.h"
#include "outbound/url.h"

namespace mayfly::outbound {
namespace {

constexpr int kLongestWaitMs = 1'000;
constexpr int kIdleMs = 86'400'000;  // nothing is asked for: it is woken when something is

/// Whom a request goes to; what is no URL fails by itself.
std::string host_of(const std::string& text) {
  const auto url = parse_url(text);
  return url ? url->scheme + "://" + url->authority : std::string();
}

}  // namespace

struct Client::Command {
  enum class Kind { start, send, take, cancel, stop } kind = Kind::stop;
  Id id = 0;
  std::string bytes{};
  bool end = false;
  std::size_t count = 0;
  Request request{};
  std::shared_ptr<Listener> listener{};
};

/// What the thread works on: commands come from others, the rest is its own.
class Client::Loop {
 public:
  explicit Loop(const ClientOptions& options) : options_(options), multi_(::curl_multi_init()) {}
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop() { ::curl_multi_cleanup(multi_); }

  Id next_id() {
    const std::lock_guard lock(mutex_);
    return ++last_id_;
  }

  void put(Command command) {
    {
      const std::lock_guard lock(mutex_);
      commands_.push_back(std::move(command));
    }
    ::curl_multi_wakeup(multi_);
  }

  void run() {
    while (obey()) {
      int running = 0;
      ::curl_multi_perform(multi_, &running);
      collect();
      ::curl_multi_poll(multi_, nullptr, 0, exchanges_.empty() ? kIdleMs : kLongestWaitMs, nullptr);
    }
    for (auto& [id, exchange] : std::exchange(exchanges_, {})) {
      ::curl_multi_remove_handle(multi_, exchange->raw());
      exchange->refuse(Error{OutboundErrc::stopped, "the daemon ends", {}});
    }
  }

 private:
  bool obey() {
    std::vector<Command> commands;
    {
      const std::lock_guard lock(mutex_);
      commands.swap(commands_);
    }
    for (auto& command : commands) {
      if (command.kind == Command::Kind::stop) return false;
      if (command.kind == Command::Kind::start)
        start(command);
      else
        change(command);
    }
    return true;
  }

  void start(Command& command) {
    if (exchanges_.size() >= options_.most)
      return command.listener->on_end(fail(OutboundErrc::busy, "too many requests are under way"));
    const auto host = host_of(command.request.url);
    if (const auto found = of_host_.find(host);
        found != of_host_.end() && found->second >= options_.most_of_host)
      return command.listener->on_end(
          fail(OutboundErrc::busy, "too many requests to this server are under way"));
    auto exchange = std::make_unique<Exchange>(command.id, std::move(command.request),
                                               std::move(command.listener), options_.rules);
    if (exchange->raw() == nullptr || ::curl_multi_add_handle(multi_, exchange->raw()) != CURLM_OK)
      return exchange->refuse(Error{OutboundErrc::stopped, "libcurl cannot be used", {}});
    exchanges_.emplace(command.id, std::move(exchange));
    ++of_host_[host];
  }

  std::unique_ptr<Exchange> remove(Id id) {
    auto exchange = std::move(exchanges_.extract(id).mapped());
    ::curl_multi_remove_handle(multi_, exchange->raw());
    const auto count = of_host_.find(host_of(exchange->url()));
    if (--count->second == 0) of_host_.erase(count);
    return exchange;
  }

  void change(const Command& command) {
    const auto found = exchanges_.find(command.id);
    if (found == exchanges_.end()) return;  // it has ended
    if (command.kind == Command::Kind::send) return found->second->send(command.bytes, command.end);
    if (command.kind == Command::Kind::take) return found->second->take(command.count);
    (void)remove(command.id);
  }

  /// What has ended.
  void collect() {
    int left = 0;
    while (const CURLMsg* message = ::curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const auto code = message->data.result;
      Exchange* exchange = nullptr;
      ::curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
      remove(exchange->id())->end(code);
    }
  }

  const ClientOptions options_;
  CURLM* multi_;
  std::mutex mutex_;
  std::vector<Command> commands_;
  Id last_id_ = 0;
  std::unordered_map<Id, std::unique_ptr<Exchange>> exchanges_;
  std::unordered_map<std::string, std::size_t> of_host_;  // how many of them; none: not there
};

Client::Client(const ClientOptions& options) : options_(options) {
  (void)make_transfer();  // libcurl itself, before its first use on the thread
  loop_ = std::make_unique<Loop>(options_);
  thread_ = std::thread([this] { loop_->run(); });
}

Client::~Client() {
  loop_->put({.kind = Command::Kind::stop});
  thread_.join();
}

Client::Id Client::start(Request request, std::shared_ptr<Listener> listener) {
  const auto id = loop_->next_id();
  loop_->put({.kind = Command::Kind::start,
              .id = id,
              .request = std::move(request),
              .listener = std::move(listener)});
  return id;
}

void Client::send(Id id, std::string bytes, bool end) {
  loop_->put({.kind = Command::Kind::send, .id = id, .bytes = std::move(bytes), .end = end});
}

void Client::take(Id id, std::size_t bytes) {
  loop_->put({.kind = Command::Kind::take, .id = id, .count = bytes});
}

void Client::cancel(Id id) { loop_->put({.kind = Command::Kind::cancel, .id = id}); }

}  // namespace mayfly::outbound
