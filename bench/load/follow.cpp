// bench_follow PROTOCOL PORT TARGET COUNT PAUSE_MS [KEY]: publishes one event after the other, a pause
// between them. Its payload is the time: nanoseconds of CLOCK_MONOTONIC, which all processes of the machine
// share. Another connection gets the events, unless a function does (HTTP). Prints one JSON object:
// milliseconds from before the event was sent until its acknowledgement came, and until the event came to who
// follows.
#include <poll.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "connect.h"
#include "protocols.h"

namespace {

using mayfly::Fd;
using mayfly::bench::receive;
using mayfly::bench::send_all;
constexpr int kPatienceMs = 10'000;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}
double ms_since(std::int64_t begin) { return static_cast<double>(now_ns() - begin) / 1e6; }

struct Side {
  Fd socket{};
  std::string received{};

  void wait() {
    pollfd one{.fd = socket.get(), .events = POLLIN, .revents = 0};
    if (::poll(&one, 1, kPatienceMs) <= 0) throw std::runtime_error("nothing came");
    receive(socket, received);
  }
};

class Run {
 public:
  Run(std::unique_ptr<mayfly::bench::Publishing> publishing,
      std::unique_ptr<mayfly::bench::Following> following, std::uint16_t port)
      : publishing_(std::move(publishing)), following_(std::move(following)) {
    if (following_) {
      follower_.socket = mayfly::bench::connect_to(port);
      send_all(follower_.socket, following_->greeting());
      while (!following_->take_welcome(follower_.received)) follower_.wait();
      send_all(follower_.socket, following_->first());
    }
    publisher_.socket = mayfly::bench::connect_to(port);
    send_all(publisher_.socket, publishing_->greeting());
    while (!publishing_->take_welcome(publisher_.received)) publisher_.wait();
  }

  void one() {
    const auto begin = now_ns();
    send_all(publisher_.socket, publishing_->publish(std::to_string(begin)));
    bool acknowledged = false, came = following_ == nullptr;
    while (!acknowledged || !came) {
      std::array<pollfd, 2> sides{pollfd{.fd = publisher_.socket.get(), .events = POLLIN, .revents = 0},
                                  pollfd{.fd = follower_.socket.get(), .events = POLLIN, .revents = 0}};
      if (::poll(sides.data(), following_ ? 2 : 1, kPatienceMs) <= 0)
        throw std::runtime_error("an event did not come");
      if (sides[1].revents != 0) came |= follow(begin);
      if (sides[0].revents != 0) acknowledged |= hear(begin);
    }
  }

  [[nodiscard]] nlohmann::json report() const {
    return {{"acknowledged_ms", acknowledged_}, {"followed_ms", followed_}};
  }

 private:
  bool follow(std::int64_t begin) {
    receive(follower_.socket, follower_.received);
    const auto ms = ms_since(begin);
    std::string answer;
    const auto payload = following_->take_event(follower_.received, answer);
    if (!payload) return false;
    if (*payload != std::to_string(begin)) throw std::runtime_error("another event came: " + *payload);
    followed_.push_back(ms);
    send_all(follower_.socket, answer);
    return true;
  }

  bool hear(std::int64_t begin) {
    receive(publisher_.socket, publisher_.received);
    const auto ms = ms_since(begin);
    const auto accepted = publishing_->take_answer(publisher_.received);
    if (!accepted) return false;
    if (!*accepted) throw std::runtime_error("an event was refused");
    acknowledged_.push_back(ms);
    return true;
  }

  std::unique_ptr<mayfly::bench::Publishing> publishing_;
  std::unique_ptr<mayfly::bench::Following> following_;
  Side publisher_, follower_;
  std::vector<double> acknowledged_, followed_;
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 6) {
    std::fprintf(stderr, "usage: bench_follow PROTOCOL PORT TARGET COUNT PAUSE_MS [KEY]\n");
    return 2;
  }
  Run run(mayfly::bench::publishing(argv[1], argv[3], 0, argc > 6 ? argv[6] : ""),
          mayfly::bench::following(argv[1], argv[3]), static_cast<std::uint16_t>(std::atoi(argv[2])));
  for (int i = 0; i < std::atoi(argv[4]); ++i) {
    run.one();
    std::this_thread::sleep_for(std::chrono::milliseconds(std::atoi(argv[5])));
  }
  std::puts(run.report().dump().c_str());
} catch (const std::exception& error) {
  std::fprintf(stderr, "bench_follow: %s\n", error.what());
  return 1;
}
