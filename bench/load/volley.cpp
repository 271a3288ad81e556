// bench_volley PORT PATH COUNT TIMEOUT_SECONDS: COUNT requests to 127.0.0.1 at the same instant, one
// connection each. What wrk cannot do: the connections stand before the clock starts, every request is sent
// once, and each answer is accounted for. Prints one JSON object: milliseconds from the first byte sent until
// each answer was complete.
#include <sys/epoll.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "connect.h"

namespace {

using Clock = std::chrono::steady_clock;
using mayfly::Fd;
using mayfly::bench::connect_to;
using mayfly::bench::fail;

struct Exchange {
  Fd socket;
  std::string answer;
  double finished_ms = -1;
};

/// Enough of HTTP/1.1 to know where an answer ends: Content-Length, else the last chunk.
bool is_complete(const std::string& answer) {
  const auto head_end = answer.find("\r\n\r\n");
  if (head_end == std::string::npos) return false;
  std::string head = answer.substr(0, head_end + 2);
  for (char& c : head) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const auto length = head.find("\r\ncontent-length:");
  if (length != std::string::npos)
    return answer.size() >= head_end + 4 + std::strtoull(head.c_str() + length + 17, nullptr, 10);
  return answer.ends_with("0\r\n\r\n");
}

std::string body_of(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }
std::string status_of(const std::string& answer) { return answer.size() > 12 ? answer.substr(9, 3) : "none"; }

/// Reads what is there. True when the exchange is over.
bool read_some(Exchange& exchange) {
  char buffer[16384];
  for (;;) {
    const auto n = ::recv(exchange.socket.get(), buffer, sizeof buffer, 0);
    if (n < 0) return errno != EAGAIN && errno != EINTR;
    if (n == 0) return true;
    exchange.answer.append(buffer, static_cast<std::size_t>(n));
    if (is_complete(exchange.answer)) return true;
  }
}

class Volley {
 public:
  Volley(std::uint16_t port, std::size_t count) : exchanges_(count), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (std::size_t i = 0; i < count; ++i) {
      exchanges_[i].socket = connect_to(port);
      epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
      if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, exchanges_[i].socket.get(), &event) != 0)
        fail("epoll_ctl");
    }
  }

  void fire(const std::string& request, double timeout_ms) {
    started_ = Clock::now();
    for (Exchange& e : exchanges_)
      if (::send(e.socket.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0)
        e.finished_ms = elapsed_ms();
    sent_ms_ = elapsed_ms();
    std::size_t open = 0;
    for (const Exchange& e : exchanges_) open += e.finished_ms < 0;
    std::vector<epoll_event> events(256);
    while (open > 0 && elapsed_ms() < timeout_ms) {
      const int n = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 50);
      for (int i = 0; i < n; ++i) open -= advance(exchanges_[events[static_cast<std::size_t>(i)].data.u64]);
    }
  }

  [[nodiscard]] nlohmann::json report() const {
    std::map<std::string, int> statuses, bodies;
    std::vector<double> latencies;
    double total = 0;
    for (const Exchange& e : exchanges_) {
      const bool done = is_complete(e.answer);
      ++statuses[done ? status_of(e.answer) : e.finished_ms < 0 ? "timeout" : "broken"];
      if (!done) continue;
      ++bodies[body_of(e.answer)];
      latencies.push_back(e.finished_ms);
      total = std::max(total, e.finished_ms);
    }
    return {{"sent_ms", sent_ms_},
            {"total_ms", total},
            {"statuses", statuses},
            {"bodies", bodies},
            {"latencies_ms", latencies}};
  }

 private:
  [[nodiscard]] double elapsed_ms() const {
    return std::chrono::duration<double, std::milli>(Clock::now() - started_).count();
  }

  std::size_t advance(Exchange& exchange) {
    if (exchange.finished_ms >= 0 || !read_some(exchange)) return 0;
    exchange.finished_ms = elapsed_ms();
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, exchange.socket.get(), nullptr);
    return 1;
  }

  std::vector<Exchange> exchanges_;
  Fd epoll_;
  Clock::time_point started_;
  double sent_ms_ = 0;
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 5) {
    std::fprintf(stderr, "usage: bench_volley PORT PATH COUNT TIMEOUT_SECONDS\n");
    return 2;
  }
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  Volley volley(static_cast<std::uint16_t>(std::atoi(argv[1])), static_cast<std::size_t>(std::atol(argv[3])));
  volley.fire(std::string("GET ") + argv[2] + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
              std::atof(argv[4]) * 1000);
  std::puts(volley.report().dump().c_str());
} catch (const std::exception& error) {
  std::fprintf(stderr, "bench_volley: %s\n", error.what());
  return 1;
}
