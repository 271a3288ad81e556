// The native runtime process. It holds no user code: it waits in the fork server, and what follows runs in
// its children, each by its role:
//
//   runtime process --fork--> template: load the code, check, report, freeze --fork--> instance: serve
//                   --fork--> direct: load the code and serve (code that cannot be forked)
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "bridge/descriptors.h"
#include "crash.h"
#include "datasets.h"
#include "load.h"
#include "output.h"
#include "server.h"
#include "template/fork_server.h"
#include "trace.h"

namespace mayfly::native {
namespace {

using nlohmann::json;
using tmpl::ForkedChild;
using tmpl::ForkServer;

constexpr int kControlFd = 3;  // sandbox::kControlFd

/// What this process can tell the daemon about its end, by what it is at the moment.
struct Process {
  ForkServer* loading = nullptr;  ///< a template whose code is being loaded
  std::unique_ptr<Fd> data;       ///< a direct instance whose code is being loaded: its data socket
  std::optional<Server> server;   ///< an instance
  ForkGuard guard{[](void* self) { static_cast<Process*>(self)->on_forked(); }, this};

  void on_forked() {
    if (data) data->reset();
    forget_output();
  }
};
Process g_process;

std::string to_text(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

[[noreturn]] void report_failed(ForkServer& daemon, const LoadFailure& why) {
  drain_output();
  const json report{{"kind", why.kind}, {"message", why.message}, {"stack", why.stack}};
  (void)daemon.report(wire::ControlType::failed, to_text(report));
  ::_exit(1);
}

/// A process ends by what its code did.
void on_ending(Ending ending, std::string_view message, std::string_view stack) {
  std::string text(message);
  if (ending == Ending::exit) text = "exit(" + text + ") was called";
  if (ending == Ending::uncaught) text = "uncaught exception: " + text;
  if (g_process.loading != nullptr)
    report_failed(*g_process.loading, {"init", text + " while the code was loading", std::string(stack)});
  if (ending == Ending::crash) return;  // its signal says it all
  const bool fork = (g_process.data && !*g_process.data) || (g_process.server && g_process.server->forked());
  if (fork) return;  // of the instance: its end is its parent's to hear of
  if (g_process.data) g_process.server.emplace(std::move(*g_process.data), nullptr);
  if (!g_process.server) return;
  if (ending == Ending::exit) g_process.server->fatal(wire::FatalKind::exit, message, {});
  g_process.server->fatal(wire::FatalKind::uncaught, message, stack);
}

/// What a function was born with.
struct Configuration {
  std::string role, root, entry;
  std::map<std::string, std::string> environment;
  std::vector<GivenDataset> datasets;
};

std::vector<GivenDataset> parse_datasets(const json& given) {
  std::vector<GivenDataset> datasets;
  for (const auto& each : given.value("datasets", json::array())) {
    GivenDataset dataset{
        each.value("name", ""), each.value("fd", -1), each.value("size", std::uint64_t{0}), {}};
    for (const auto& file : each.value("files", json::array()))
      dataset.files.push_back({file.value("name", ""), file.value("offset", std::uint64_t{0}),
                               file.value("size", std::uint64_t{0})});
    datasets.push_back(std::move(dataset));
  }
  return datasets;
}

Configuration parse(const std::string& payload) {
  const auto given = json::parse(payload, nullptr, false);
  if (!given.is_object()) ::_exit(125);
  Configuration configuration{
      given.value("role", ""), given.value("root", ""), given.value("entry", ""), {}, parse_datasets(given)};
  if (const auto env = given.find("env"); env != given.end() && env->is_object())
    for (const auto& [name, value] : env->items())
      if (value.is_string()) configuration.environment.emplace(name, value.get<std::string>());
  return configuration;
}

/// User code runs in its own folder, and sees the variables that it was given.
void settle_in(const Configuration& configuration) {
  if (::chdir(configuration.root.c_str()) != 0) ::_exit(125);
  for (const auto& [name, value] : configuration.environment) ::setenv(name.c_str(), value.c_str(), 1);
  static std::string root;
  root = configuration.root;
  set_trace_root(root.c_str());
}

/// Generators that a fork has copied begin anew, so that no two instances draw the same.
void reseed() {
  unsigned seed = 0;
  (void)!::getrandom(&seed, sizeof seed, 0);
  ::srandom(seed);
  ::srand48(static_cast<long>(seed));
}

[[noreturn]] void serve(Fd data, Handler handler) {
  reseed();
  g_process.server.emplace(std::move(data), handler);
  g_process.server->run();
}

/// Why this process must not be forked, in words for people: what a fork does not copy, or what copies would
/// share.
std::vector<std::string> unsafe_reasons(const bridge::Descriptors& descriptors) {
  auto reasons = descriptors.reasons();
  if (const int left = bridge::thread_count() - 1; left > 0)
    reasons.insert(reasons.begin(), "init left " + std::to_string(left) + " thread(s) running");
  return reasons;
}

std::expected<Handler, LoadFailure> load_function(const Configuration& configuration) {
  if (const auto mapped = map_datasets(configuration.datasets); !mapped)
    return std::unexpected(LoadFailure{"init", mapped.error().message});
  return load(configuration.root, configuration.entry);
}

/// Loads the code and reports how that went. All that this needed is gone when it returns: what an instance
/// would tidy up would be its own copy of a page.
Handler prepare_template(ForkServer& daemon, const Configuration& configuration) {
  bridge::Descriptors descriptors;
  descriptors.remember();
  g_process.loading = &daemon;
  const auto loaded = load_function(configuration);
  if (!loaded) report_failed(daemon, loaded.error());
  g_process.loading = nullptr;
  drain_output();  // from here on it is frozen
  const auto unsafe = unsafe_reasons(descriptors);
  json report{{"form", "native"}, {"concurrency", 1}, {"unsafe", unsafe}, {"warnings", json::array()}};
  for (const auto& reason : unsafe)
    report["warnings"].push_back(reason + ": each instance loads the code itself instead of being forked");
  (void)daemon.report(wire::ControlType::ready, to_text(report));
  return *loaded;
}

[[noreturn]] void run_direct(Fd data, const Configuration& configuration) {
  g_process.data = std::make_unique<Fd>(std::move(data));
  const auto loaded = load_function(configuration);
  Fd socket = std::move(*g_process.data);
  g_process.data.reset();
  if (loaded) serve(std::move(socket), *loaded);
  g_process.server.emplace(std::move(socket), nullptr);
  g_process.server->fatal(wire::FatalKind::uncaught, loaded.error().message, loaded.error().stack);
}

[[noreturn]] void run() {
  std::signal(SIGPIPE, SIG_IGN);
  capture_output();
  prepare_traces();
  watch_endings(on_ending);
  ForkedChild child;
  {
    ForkServer daemon{Fd(kControlFd)};
    child = daemon.run();
  }
  send_output_to(std::move(child.log));
  const auto configuration = parse(child.payload);
  settle_in(configuration);
  if (configuration.role != "template") run_direct(std::move(child.channel), configuration);
  auto& daemon = *new ForkServer(std::move(child.channel));  // never destroyed, in no instance
  const Handler handler = prepare_template(daemon, configuration);
  child = daemon.run();
  send_output_to(std::move(child.log));
  serve(std::move(child.channel), handler);
}

}  // namespace
}  // namespace mayfly::native

int main() { mayfly::native::run(); }
