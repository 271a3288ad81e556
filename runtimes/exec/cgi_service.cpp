#include "exec/cgi_service.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <unordered_map>

#include "base/reap.h"
#include "exec/cgi_environment.h"
#include "exec/cgi_invocation.h"

namespace mayfly::exec {
namespace {

class CgiService final : public bridge::Service {
 public:
  CgiService(Loop& loop, const Configuration& configuration) : loop_(loop), configuration_(configuration) {}
  void attach(bridge::Connection& connection) { connection_ = &connection; }

  void on_request(const bridge::Request& request) override {
    auto made = std::make_unique<CgiInvocation>(loop_, *connection_, request.stream,
                                                [this](CgiInvocation& ended) { on_ended(ended); });
    CgiInvocation& invocation = *made;
    open_[request.stream] = std::move(made);
    auto environment = cgi_environment(configuration_, request);
    if (environment.empty())
      invocation.refuse(400, "The path holds a NUL, which no program can be given.\n");
    else
      invocation.start(configuration_.executable(), std::move(environment), request);
  }
  void on_body(std::uint32_t stream, std::string_view chunk, bool last) override {
    if (const auto found = open_.find(stream); found != open_.end()) found->second->take_body(chunk, last);
  }
  void on_abort(std::uint32_t stream, wire::AbortReason) override {
    if (const auto found = open_.find(stream); found != open_.end()) found->second->abort();
  }
  void on_writable(std::uint32_t stream) override {
    if (const auto found = open_.find(stream); found != open_.end()) found->second->writable();
  }
  void on_stop() override { stopping_ = true; }
  [[nodiscard]] bool stopping() const { return stopping_; }

 private:
  void on_ended(CgiInvocation& ended) {
    const auto found = open_.find(ended.stream());
    // It is one of its own callbacks that brought us here.
    const std::shared_ptr<CgiInvocation> kept = std::move(found->second);
    const auto& id = kept->id();
    open_.erase(found);
    loop_.later([kept] {});
    (void)end_strays([&](pid_t pid) { return is_stray(pid, id); });
  }

  /// A process that left the group of the invocation that started it, which has ended. Beside other
  /// invocations only its environment tells whose it was.
  [[nodiscard]] bool is_stray(pid_t pid, const std::string& ended) const {
    for (const auto& [stream, invocation] : open_)
      if (invocation->pid() == pid) return false;
    if (open_.empty()) return true;
    // Without a stream: its buffer throws when the process ends between open and read (ESRCH).
    const Fd file(::open(("/proc/" + std::to_string(pid) + "/environ").c_str(), O_RDONLY | O_CLOEXEC));
    std::string environment;
    std::array<char, 4096> part;
    for (ssize_t got = 1; file && got > 0;) {
      got = ::read(file.get(), part.data(), part.size());
      environment.append(part.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    }
    return environment.contains("MAYFLY_INVOCATION=" + ended);
  }

  Loop& loop_;
  const Configuration& configuration_;
  bridge::Connection* connection_ = nullptr;
  std::unordered_map<std::uint32_t, std::unique_ptr<CgiInvocation>> open_;
  bool stopping_ = false;
};

}  // namespace

void serve_cgi(const Configuration& configuration, Fd data, bridge::LogSender& log) {
  Loop loop;
  CgiService service(loop, configuration);
  bridge::Connection connection(std::move(data), service, log);
  service.attach(connection);
  loop.serve(connection, [] { return true; }, [&] { return service.stopping(); });
}

}  // namespace mayfly::exec
