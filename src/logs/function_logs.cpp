#include "logs/function_logs.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <deque>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "wire/log_record.h"

namespace mayfly::logs {
namespace asio = boost::asio;
using nlohmann::json;
namespace {

constexpr std::size_t kKeptFailures = 20;
constexpr std::size_t kRecentLines = 200;
constexpr std::size_t kLinesOfFailure = 20;
constexpr std::uint64_t kMarkerBytes = 1'000;
/// Between two lines that say how many are missing.
constexpr std::chrono::seconds kReportPause{1};

std::string_view level_name(wire::LogLevel level) {
  switch (level) {
    case wire::LogLevel::debug:
      return "debug";
    case wire::LogLevel::warn:
      return "warn";
    case wire::LogLevel::error:
      return "error";
    case wire::LogLevel::info:
      break;
  }
  return "info";
}

}  // namespace

/// What is to be written, but the time.
struct FunctionLogs::Line {
  std::uint32_t version;
  std::string_view level;
  std::string_view text;
  std::string_view invocation{};  ///< empty: of none
  std::uint32_t full_length = 0;  ///< of the text, if more than is there
  std::uint32_t dropped = 0;      ///< lines that went missing in front of this one
  std::uint64_t marked = 0;       ///< lines that this one stands for: it says that they are missing
};

struct FunctionLogs::Log {
  explicit Log(const std::filesystem::path& path) : file(path) {}
  LogFile file;
  std::deque<std::pair<std::string, std::string>> recent;  // (invocation, text)
  std::vector<Follower> followers;
  std::uint64_t rate = 0;  // bytes a second; of the version that was started last
  std::uint64_t burst = 0;
  std::uint64_t budget = 0;
  MonotonicTime refilled = std::chrono::steady_clock::now();
  MonotonicTime reported{};  // when it was last said what was dropped
  std::uint64_t dropped_lines = 0;
  std::uint64_t dropped_bytes = 0;
  std::uint32_t dropped_version = 0;
};

/// One process's log socket.
class FunctionLogs::Source : public std::enable_shared_from_this<Source> {
 public:
  Source(FunctionLogs& logs, Fd socket, std::string function, std::uint32_t version,
         std::shared_ptr<pool::LastWords> words)
      : logs_(logs),
        socket_(logs.io_, socket.release()),
        function_(std::move(function)),
        version_(version),
        words_(std::move(words)) {}

  void read() {
    socket_.async_wait(asio::posix::stream_descriptor::wait_read,
                       [self = shared_from_this()](const boost::system::error_code& error) {
                         if (!error && self->receive()) return self->read();
                         self->logs_.leave(self->function_, self.get());
                       });
  }
  /// What is there already. It is found by read() as well, but later.
  void catch_up() { receive(); }
  [[nodiscard]] int fd() { return socket_.native_handle(); }

 private:
  /// A bounded number of packets, so that a flood leaves the others their turn. False: the process is gone.
  bool receive() {
    for (int i = 0; i < 64 && !ended_; ++i) {
      auto& buffer = logs_.packet_;  // of all sources: they read in turn
      const ssize_t got = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got < 0) return errno == EAGAIN || errno == EINTR;
      if (got == 0) {
        if (!at_end()) continue;  // a write of no bytes
        raw({}, true);
        ended_ = true;
        break;
      }
      packet({buffer.data(), static_cast<std::size_t>(got)});
    }
    return !ended_;
  }
  /// Whether the process is gone and all that it wrote is read. An empty packet looks like the end of a
  /// stream.
  bool at_end() {
    pollfd state{socket_.native_handle(), POLLRDHUP, 0};
    if (::poll(&state, 1, 0) != 1) return false;
    int left = 0;
    return ::ioctl(socket_.native_handle(), FIONREAD, &left) != 0 || left == 0;
  }
  void packet(std::string_view bytes) {
    if (static_cast<std::uint8_t>(bytes.front()) != wire::kLogMagic) return raw(bytes, false);
    wire::LogRecord record;
    while (wire::take_log_record(bytes, record))
      logs_.write(logs_.log(function_), {.version = version_,
                                         .level = level_name(record.level),
                                         .text = record.text,
                                         .invocation = record.invocation,
                                         .full_length = record.full_length,
                                         .dropped = record.dropped});
  }
  /// What was written to descriptor 1 or 2 directly, in whole lines.
  void raw(std::string_view bytes, bool last) {
    words_->append(bytes);
    line_.append(bytes);
    std::size_t end = 0;
    while ((end = line_.find('\n')) != std::string::npos || line_.size() > wire::kMaxLogText) {
      const auto length = std::min(end, wire::kMaxLogText);
      logs_.write(logs_.log(function_), {version_, "error", std::string_view(line_).substr(0, length)});
      line_.erase(0, length + (length == end ? 1 : 0));
    }
    if (last && !line_.empty()) logs_.write(logs_.log(function_), {version_, "error", line_});
  }

  FunctionLogs& logs_;
  asio::posix::stream_descriptor socket_;
  std::string function_;
  std::uint32_t version_;
  std::shared_ptr<pool::LastWords> words_;
  std::string line_;
  bool ended_ = false;
};

FunctionLogs::FunctionLogs(std::filesystem::path folder, std::uint64_t least_burst)
    : folder_(std::move(folder)), least_burst_(least_burst), work_(io_.get_executor()) {
  std::filesystem::create_directories(folder_);
  packet_.resize(wire::kMaxLogPacket + 64);
  thread_ = std::thread([this] { io_.run(); });
}

FunctionLogs::~FunctionLogs() {
  io_.stop();
  thread_.join();
}

FunctionLogs::Log& FunctionLogs::log(const std::string& function) {
  auto& log = logs_[function];
  if (log) return *log;
  log = std::make_unique<Log>(folder_ / (function + ".jsonl"));
  set_rate(*log, registry::FunctionConfig{}.log_rate);
  return *log;
}

void FunctionLogs::set_rate(Log& log, std::uint64_t rate) const {
  constexpr std::uint64_t kBurstSeconds = 8;
  const auto burst = std::max(least_burst_, rate * kBurstSeconds);
  log.budget = log.burst == 0 ? burst : std::min(log.budget, burst);
  log.rate = rate;
  log.burst = burst;
}

void FunctionLogs::take(Fd socket, const registry::Version& version,
                        std::shared_ptr<pool::LastWords> last_words) {
  auto source = std::make_shared<Source>(*this, std::move(socket), version.function, version.number,
                                         std::move(last_words));
  asio::post(io_, [this, source, function = version.function, rate = version.config.log_rate] {
    if (Log& its = log(function); its.rate != rate) set_rate(its, rate);
    sources_[function].insert(source.get());
    source->read();
  });
}

void FunctionLogs::leave(const std::string& function, Source* source) {
  const auto found = sources_.find(function);
  found->second.erase(source);
  if (found->second.empty()) sources_.erase(found);
}

/// What a function wrote before it answered may still be in its sockets when somebody who has the answer asks
/// for it.
void FunctionLogs::catch_up(const std::string& function) {
  const auto found = sources_.find(function);
  if (found == sources_.end()) return;
  const std::vector<Source*> sources(found->second.begin(), found->second.end());
  std::vector<pollfd> states;
  for (auto* source : sources) states.push_back({source->fd(), POLLIN, 0});
  if (::poll(states.data(), states.size(), 0) <= 0) return;
  for (std::size_t i = 0; i < sources.size(); ++i)
    if (states[i].revents != 0) sources[i]->catch_up();
}

bool FunctionLogs::within_budget(Log& log, std::uint32_t version, std::size_t bytes) {
  const auto now = std::chrono::steady_clock::now();
  const auto ms = std::chrono::duration_cast<milliseconds>(now - log.refilled).count();
  if (ms > 0) {
    const auto earned = static_cast<std::uint64_t>(ms) * log.rate / 1000;
    log.budget = std::min(log.burst, log.budget + earned);
    log.refilled = now;
  }
  if (log.budget < bytes) {
    ++log.dropped_lines;
    log.dropped_version = version;
    log.dropped_bytes += bytes;
    report_dropped_later();
    return false;
  }
  log.budget -= bytes;
  if (now - log.reported >= kReportPause) report_dropped(log);
  return true;
}

/// Says how much of a flood is missing: before the next line that is kept, but a second after the last time
/// at the earliest, or when a second has passed. While a flood lasts now and then a line is kept.
void FunctionLogs::report_dropped(Log& log) {
  if (log.dropped_lines == 0) return;
  log.reported = std::chrono::steady_clock::now();
  const auto lines = std::exchange(log.dropped_lines, 0);
  const auto text = std::to_string(lines) + " lines (" + std::to_string(std::exchange(log.dropped_bytes, 0)) +
                    " bytes) dropped: log limit " + size_in_words(log.rate) + " a second";
  log.budget = std::max(log.budget, kMarkerBytes);
  write(log, {.version = log.dropped_version, .level = "warn", .text = text, .marked = lines});
}

void FunctionLogs::report_dropped_later() {
  if (std::exchange(report_is_due_, true)) return;
  report_timer_.expires_after(kReportPause);
  report_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    report_is_due_ = false;
    for (const auto& [name, log] : logs_) report_dropped(*log);
  });
}

void FunctionLogs::write(Log& log, const Line& line) {
  if (line.dropped > 0) {
    const auto text = std::to_string(line.dropped) + " lines dropped: written faster than they could be read";
    write(log, {.version = line.version, .level = "warn", .text = text, .marked = line.dropped});
    if (line.text.empty()) return;  // that was all there was to say
  }
  if (!within_budget(log, line.version, line.text.size() + 100)) return;
  json written{{"time", timestamp(std::chrono::system_clock::now())},
               {"level", line.level},
               {"version", line.version},
               {"text", line.text}};
  if (!line.invocation.empty()) written["invocation"] = line.invocation;
  if (line.full_length > line.text.size()) written["cut"] = line.full_length;
  if (line.marked > 0) written["dropped"] = line.marked;
  const auto dumped = written.dump(-1, ' ', false, json::error_handler_t::replace);
  log.file.append(dumped);
  log.recent.emplace_back(line.invocation, line.text.substr(0, 1000));
  if (log.recent.size() > kRecentLines) log.recent.pop_front();
  std::erase_if(log.followers, [&](const Follower& follower) { return !follower(dumped, false); });
}

void FunctionLogs::failed(const registry::Version& version, std::string_view invocation, const Error& error) {
  Failure failure{std::chrono::system_clock::now(), version.number, std::string(invocation), error, {}};
  asio::post(io_, [this, function = version.function, failure = std::move(failure)]() mutable {
    catch_up(function);
    Log& target = log(function);
    for (const auto& [of, text] : target.recent)
      if (of == failure.invocation && !of.empty()) failure.last_lines.push_back(text);
    if (failure.last_lines.size() > kLinesOfFailure)
      failure.last_lines.erase(failure.last_lines.begin(), failure.last_lines.end() - kLinesOfFailure);
    const auto stack = failure.error.detail("stack");
    auto text = stack.empty() ? failure.error.message : std::string(stack);
    if (text.find(failure.error.message) == std::string::npos) text = failure.error.message + "\n" + text;
    write(target, {failure.version, "error", text, failure.invocation});
    const std::lock_guard lock(failures_mutex_);
    auto& list = failures_[function];
    list.push_back(std::move(failure));
    if (list.size() > kKeptFailures) list.erase(list.begin());
  });
}

std::vector<Failure> FunctionLogs::failures(const std::string& function) const {
  const std::lock_guard lock(failures_mutex_);
  const auto found = failures_.find(function);
  if (found == failures_.end()) return {};
  return {found->second.rbegin(), found->second.rend()};
}

void FunctionLogs::read(const std::string& function, std::size_t most, const std::string& invocation,
                        Follower follower, std::function<void(std::vector<std::string>)> then) {
  asio::post(io_, [this, function, most, invocation, follower = std::move(follower), then = std::move(then)] {
    // Fields are in the order of their names, and no text has a quotation mark that is not escaped.
    const auto wanted = invocation.empty() ? std::string() : invocation + "\",\"level\":\"";
    catch_up(function);
    Log& source = log(function);
    then(source.file.tail(most, wanted));
    if (!follower) return;
    if (wanted.empty())
      source.followers.push_back(follower);
    else
      source.followers.emplace_back([follower, wanted](const std::string& line, bool last) {
        return (!last && line.find(wanted) == std::string::npos) || follower(line, last);
      });
  });
}

void FunctionLogs::forget(const std::string& function) {
  asio::post(io_, [this, function] {
    const auto found = logs_.find(function);
    if (found == logs_.end()) return;
    const json last{{"time", timestamp(std::chrono::system_clock::now())},
                    {"level", "info"},
                    {"text", "the function was deleted: its log ends here"}};
    for (const auto& follower : found->second->followers) (void)follower(last.dump(), true);
    logs_.erase(found);
  });
  const std::lock_guard lock(failures_mutex_);
  failures_.erase(function);
}

}  // namespace mayfly::logs
