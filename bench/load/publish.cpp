// bench_publish PROTOCOL PORT TARGET PUBLISHERS SECONDS BYTES [KEY]: so many connections publish, each its
// next event when the last one was acknowledged. One thread, whatever the protocol is, so that this side
// costs about the same for each server. Prints one JSON object; the first quarter of a second is not counted.
#include <sys/epoll.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <vector>

#include "connect.h"
#include "protocols.h"

namespace {

using Clock = std::chrono::steady_clock;
using mayfly::Fd;
using mayfly::bench::fail;

struct Publisher {
  std::unique_ptr<mayfly::bench::Publishing> protocol;
  Fd socket{};
  std::string received{};
  bool welcome = false;
  Clock::time_point sent{};
};

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

class Run {
 public:
  Run(std::string payload, std::vector<Publisher> publishers)
      : payload_(std::move(payload)),
        publishers_(std::move(publishers)),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (std::size_t i = 0; i < publishers_.size(); ++i) {
      epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
      if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, publishers_[i].socket.get(), &event) != 0)
        fail("epoll_ctl");
      mayfly::bench::send_all(publishers_[i].socket, publishers_[i].protocol->greeting());
      go_on(publishers_[i]);
    }
  }

  void publish_for(double seconds) {
    latencies_.clear();
    errors_ = 0;
    const auto begin = Clock::now();
    std::vector<epoll_event> events(publishers_.size());
    while (seconds_since(begin) < seconds) {
      const int n = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 100);
      for (int i = 0; i < n; ++i) go_on(publishers_[events[static_cast<std::size_t>(i)].data.u64]);
    }
    seconds_ = seconds_since(begin);
  }

  [[nodiscard]] nlohmann::json report() {
    std::ranges::sort(latencies_);
    const auto rank = [&](double part) {
      if (latencies_.empty()) return 0.0;
      const auto at = std::ceil(part * static_cast<double>(latencies_.size())) - 1;
      return latencies_[static_cast<std::size_t>(std::max(0.0, at))];
    };
    return {{"acknowledged", latencies_.size()},
            {"errors", errors_},
            {"rate", static_cast<double>(latencies_.size()) / seconds_},
            {"p50_ms", rank(0.5)},
            {"p99_ms", rank(0.99)}};
  }

 private:
  void go_on(Publisher& publisher) {
    mayfly::bench::receive(publisher.socket, publisher.received);
    if (!publisher.welcome) {
      publisher.welcome = publisher.protocol->take_welcome(publisher.received);
      if (publisher.welcome) send(publisher);
      return;
    }
    const auto accepted = publisher.protocol->take_answer(publisher.received);
    if (!accepted) return;
    if (*accepted)
      latencies_.push_back(seconds_since(publisher.sent) * 1000);
    else
      ++errors_;
    send(publisher);
  }

  void send(Publisher& publisher) {
    publisher.sent = Clock::now();
    mayfly::bench::send_all(publisher.socket, publisher.protocol->publish(payload_));
  }

  std::string payload_;
  std::vector<Publisher> publishers_;
  Fd epoll_;
  std::vector<double> latencies_;
  std::size_t errors_ = 0;
  double seconds_ = 0;
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 7) {
    std::fprintf(stderr, "usage: bench_publish PROTOCOL PORT TARGET PUBLISHERS SECONDS BYTES [KEY]\n");
    return 2;
  }
  const auto port = static_cast<std::uint16_t>(std::atoi(argv[2]));
  std::vector<Publisher> publishers;
  for (unsigned i = 0; i < static_cast<unsigned>(std::atoi(argv[4])); ++i)
    publishers.push_back({.protocol = mayfly::bench::publishing(argv[1], argv[3], i, argc > 7 ? argv[7] : ""),
                          .socket = mayfly::bench::connect_to(port)});
  Run run(std::string(static_cast<std::size_t>(std::atol(argv[6])), 'x'), std::move(publishers));
  run.publish_for(0.25);
  run.publish_for(std::atof(argv[5]));
  std::puts(run.report().dump().c_str());
} catch (const std::exception& error) {
  std::fprintf(stderr, "bench_publish: %s\n", error.what());
  return 1;
}
