// The exec runtime process: a fork server that knows no code. A template checks the executable of one
// version; an instance, forked from it, drives it.
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/reap.h"
#include "bridge/connection.h"
#include "exec/cgi_service.h"
#include "exec/configuration.h"
#include "exec/executable.h"
#include "exec/lambda_service.h"
#include "exec/trial.h"
#include "template/fork_server.h"

namespace mayfly::exec {
namespace {

constexpr int kControlFd = 3;  // sandbox::kControlFd
constexpr int kSetupFailed = 125;

using nlohmann::json;

/// Whether this version can run at all; a report of why not otherwise.
std::optional<json> examine(const Configuration& configuration, bridge::LogSender& log) {
  if (const auto checked = check_executable(configuration.executable()); !checked)
    return json{{"kind", "init"}, {"message", checked.error().message}, {"file", configuration.entry}};
  if (configuration.form() == Form::cgi) return std::nullopt;
  if (auto failed = try_bootstrap(configuration, log))
    return json{{"kind", "init"}, {"message", failed->message}, {"stack", failed->stack}};
  return std::nullopt;
}

std::string text_of(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

/// Blocks as the template of one version; returns in each of its instances.
tmpl::ForkedChild run_template(const Configuration& configuration, tmpl::ForkedChild self) {
  tmpl::ForkServer server(std::move(self.channel));
  bridge::LogSender log;
  log.open(std::move(self.log));
  if (const auto failed = examine(configuration, log)) {
    log.drain(std::chrono::seconds(1));
    (void)server.report(wire::ControlType::failed, text_of(*failed));
    ::_exit(1);
  }
  log.drain(std::chrono::seconds(1));
  const bool lambda = configuration.form() == Form::lambda;
  const json ready{{"form", lambda ? "lambda runtime api" : "cgi"},
                   {"concurrency", lambda ? kLambdaConcurrency : kCgiConcurrency},
                   {"warnings", json::array()},
                   {"unsafe", json::array()}};
  (void)server.report(wire::ControlType::ready, text_of(ready));
  return server.run();
}

[[noreturn]] void serve(const Configuration& configuration, tmpl::ForkedChild self) {
  adopt_orphans();
  bridge::LogSender log;
  log.open(std::move(self.log));
  if (configuration.form() == Form::lambda) serve_lambda(configuration, std::move(self.channel), log);
  serve_cgi(configuration, std::move(self.channel), log);
}

[[noreturn]] void run() {
  auto child = tmpl::ForkServer(Fd(kControlFd)).run();
  const auto configuration = parse_configuration(child.payload);
  if (::chdir(configuration.root.c_str()) != 0) ::_exit(kSetupFailed);  // user code runs in its folder
  if (configuration.role == "template") child = run_template(configuration, std::move(child));
  serve(configuration, std::move(child));
}

}  // namespace
}  // namespace mayfly::exec

int main() {
  std::signal(SIGPIPE, SIG_IGN);  // a program need not read its input
  // Its name in ps, and in what the kernel writes about it.
  ::prctl(PR_SET_NAME, "mayfly-exec");
  mayfly::exec::run();
}
