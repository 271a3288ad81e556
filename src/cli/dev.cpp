#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <map>

#include "cli/deploy_client.h"
#include "cli/deploy_view.h"
#include "cli/error.h"
#include "cli/folder_watch.h"
#include "cli/log_follower.h"
#include "cli/private_daemon.h"
#include "cli/problem_view.h"
#include "cli/verbs.h"

namespace mayfly::cli {
namespace {

using namespace std::chrono_literals;

/// An editor writes a file in one go or in a few; so long without a further write, it is done.
constexpr auto kQuiet = 10ms;

struct DevArguments {
  std::string path = ".";
  std::string name;
  DeploySettings settings;
};

/// SIGINT and SIGTERM as a descriptor. They stay blocked: the process ends after dev anyway.
Result<Fd> end_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGINT);
  ::sigaddset(&set, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  Fd fd(::signalfd(-1, &set, SFD_CLOEXEC));
  if (!fd) return fail_errno("signalfd");
  return fd;
}

/// One project under development: deployed again and again, its logs on the terminal.
class Development {
 public:
  Development(Context& context, const DevArguments& arguments, const DaemonClient& client)
      : context_(context), arguments_(arguments), client_(client) {}

  /// Deploys what there is now, and says how that went. The project is looked at anew: functions may have
  /// come.
  void deploy() {
    auto project = find_project(arguments_.path, arguments_.name);
    auto upload = project ? make_upload(*project) : std::unexpected(project.error());
    if (!upload) {
      report(upload.error());
      return;
    }
    for (const auto& name : project->functions) deploy_one(name, *upload, project->functions.size() > 1);
  }

 private:
  void deploy_one(const std::string& name, const Upload& upload, bool several) {
    const auto began = std::chrono::steady_clock::now();
    auto answer = [&] {
      Progress progress(context_.err, "deploying " + name);
      LastLine last;
      return deploy_function(client_, name, upload, arguments_.settings,
                             [&](std::string_view text) { progress.say(last.add(text)); });
    }();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
    if (!answer) {
      report(answer.error());
      return;
    }
    // Anew after the daemon was started again, or the function deleted meanwhile.
    auto& log = logs_[name];
    if (!log || log->ended())
      log = std::make_unique<LogFollower>(client_, name, several ? name : "", context_.out);
    if (answer->value("unchanged", false) && seen_[name] == answer->value("version", 0)) return;
    seen_[name] = answer->value("version", 0);
    if (arguments_.name.empty()) context_.err.write(show_origin(*answer, upload.origin, context_.err));
    context_.err.write(show_changes(*answer, several, context_.err));
    auto& out = context_.out;
    if (context_.json)
      out.line(answer->dump());
    else
      out.line(out.paint(Style::green, "✓ ") + out.paint(Style::bold, answer->value("address", "")) + "  " +
               out.paint(Style::cyan, answer->value("url", "")) +
               out.paint(Style::dim, fmt::format("  {:.0f} ms", took.count())));
  }

  void report(const Error& error) {
    const auto problem = error.detail("problem");
    if (problem.empty())
      context_.err.line(context_.err.paint(Style::red, "✗ ") + error.message);
    else
      context_.err.write(show_problem(std::string(problem), context_.err, arguments_.path));
  }

  Context& context_;
  const DevArguments& arguments_;
  const DaemonClient& client_;
  std::map<std::string, int> seen_;
  std::map<std::string, std::unique_ptr<LogFollower>> logs_;
};

bool names_a_daemon(const Connection& connection) {
  return connection.admin_url || connection.token || connection.data ||
         std::getenv("MAYFLY_ADMIN") != nullptr;
}

/// The daemon that there is, or, if none was named and none answers, one of our own.
Result<DaemonClient> connect(Context& context, std::unique_ptr<PrivateDaemon>& own) {
  auto client = DaemonClient::open(context.connection);
  auto status = client ? client->get("/v1/status") : std::unexpected(client.error());
  if (status) return client;
  if (names_a_daemon(context.connection)) return propagate(status);
  const Progress progress(context.err, "starting a daemon");
  auto started = PrivateDaemon::start();
  if (!started) return propagate(started);
  own = std::move(*started);
  return DaemonClient::open(own->connection());
}

/// Until a signal says that it is enough: kOk.
Result<int> watch(Development& development, FolderWatch& folder, const Fd& signals,
                  const PrivateDaemon* own) {
  std::array<struct pollfd, 3> waits{
      {{.fd = signals.get(), .events = POLLIN, .revents = 0},
       {.fd = folder.fd(), .events = POLLIN, .revents = 0},
       {.fd = own == nullptr ? -1 : own->pidfd(), .events = POLLIN, .revents = 0}}};
  for (;;) {
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return fail_errno("poll");
    if (waits[0].revents != 0) return kOk;
    if (waits[2].revents != 0) return fail(CliErrc::failed, "the daemon has ended:\n" + own->last_words());
    if (waits[1].revents == 0 || !folder.changed()) continue;
    folder.settle(kQuiet);
    development.deploy();
  }
}

Result<int> dev(Context& context, const DevArguments& arguments) {
  auto project = find_project(arguments.path, arguments.name);
  if (!project) return propagate(project);
  auto signals = end_signals();
  if (!signals) return propagate(signals);
  std::unique_ptr<PrivateDaemon> own;
  auto client = connect(context, own);
  if (!client) return propagate(client);
  // Watched before it is deployed: what is saved meanwhile is not missed.
  auto folder = FolderWatch::open(arguments.path);
  if (!folder) return propagate(folder);
  context.err.line(context.err.paint(
      Style::dim,
      "watching " + arguments.path + (own ? ", with a daemon of its own" : "") + "; Ctrl-C ends"));
  Development development(context, arguments, *client);
  development.deploy();
  return watch(development, *folder, *signals, own.get());
}

}  // namespace

Verb dev_verb() {
  auto arguments = std::make_shared<DevArguments>();
  return {
      .name = "dev",
      .summary = "Deploy on every save, and show logs and errors",
      .description =
          "Watches a file or folder. Every save is deployed at once; errors are shown with their line, and "
          "what was in "
          "service stays until they are mended. The functions' logs are shown as they are written.\n\n"
          "If no daemon answers and none was named, one is started on free ports, with a data folder that is "
          "gone "
          "at the end.",
      .examples = {"mayfly dev", "mayfly dev hello.js", "mayfly dev shop --set env.STAGE=dev"},
      .arguments = {{"path", "PATH", "What to watch (the current folder)", &arguments->path, ValueKind::path},
                    {"--name", "NAME", "The function's name", &arguments->name, ValueKind::function},
                    {"--set", "KEY=VALUE", "A key of [functions.NAME], as in mayfly.toml; may be repeated",
                     &arguments->settings.set}},
      .run = [arguments](Context& context) { return dev(context, *arguments); }};
}

}  // namespace mayfly::cli
