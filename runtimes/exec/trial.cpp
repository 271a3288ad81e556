#include "exec/trial.h"

#include "base/reap.h"
#include "exec/bootstrap.h"

namespace mayfly::exec {
namespace {

constexpr std::chrono::seconds kPatience{10};

class Trial final : private RuntimeApiListener {
 public:
  Trial(const Configuration& configuration, bridge::LogSender& log)
      : configuration_(configuration),
        api_(loop_, *this),
        bootstrap_(loop_,
                   {.line =
                        [&log](std::string_view text, std::size_t length) {
                          log.log({wire::LogLevel::info, {}, text, static_cast<std::uint32_t>(length), 0});
                        },
                    .ended = [this](const ExitStatus& status) { on_end(status); }}) {}

  std::optional<LambdaFailure> run() {
    const auto address = api_.listen();
    if (!address) return LambdaFailure{address.error().message, {}};
    if (const auto started = bootstrap_.start(configuration_, *address); !started)
      return LambdaFailure{started.error().message, {}};
    loop_.at(std::chrono::steady_clock::now() + kPatience, [this] {
      end(LambdaFailure{name() + " did not ask for its first invocation within 10 s",
                        bootstrap_.last_words()});
    });
    while (!over_) (void)loop_.turn();
    return failure_;
  }

 private:
  [[nodiscard]] std::string name() const { return "'" + configuration_.entry_name() + "'"; }
  void end(std::optional<LambdaFailure> failure) {
    if (!over_) failure_ = std::move(failure);
    over_ = true;
  }
  void on_end(const ExitStatus& status) {
    end(LambdaFailure{name() + " ended with " + describe(status) + " before it asked for an invocation",
                      bootstrap_.last_words()});
  }

  void on_next() override { end(std::nullopt); }
  void on_init_error(const LambdaFailure& failure) override { end(failure); }
  // No invocation is offered.
  void on_response(const std::string&, std::string_view, const std::string&) override {}
  void on_failure(const std::string&, const LambdaFailure&) override {}
  void on_stream(const std::string&, std::string_view) override {}
  bool on_stream_part(const std::string&, std::string_view) override { return true; }
  void on_stream_end(const std::string&) override {}

  const Configuration& configuration_;
  Loop loop_;
  RuntimeApi api_;
  Bootstrap bootstrap_;
  bool over_ = false;
  std::optional<LambdaFailure> failure_;
};

}  // namespace

std::optional<LambdaFailure> try_bootstrap(const Configuration& configuration, bridge::LogSender& log) {
  adopt_orphans();
  auto failure = Trial(configuration, log).run();
  (void)end_strays([](pid_t) { return true; });
  return failure;
}

}  // namespace mayfly::exec
