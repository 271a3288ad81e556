#include "daemon/operations.h"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>

#include "access/key_location.h"
#include "base/text.h"
#include "daemon/ask_shard.h"
#include "outbound/url.h"
#include "problem/problem.h"
#include "registry/error.h"
#include "router/conflicts.h"
#include "sandbox/limit_layers.h"

namespace mayfly::daemon {
namespace asio = boost::asio;
using asio::awaitable;
using nlohmann::json;
namespace {

/// A template's failure while deploying is a fault of the code that was sent: 422.
Error as_deploy_error(Error error) {
  using registry::RegistryErrc;
  const auto kind = error.detail("kind");
  if (kind == "syntax")
    error.code = RegistryErrc::syntax_error;
  else if (kind == "export")
    error.code = RegistryErrc::missing_export;
  else if (error.code == pool::PoolErrc::template_failed)
    error.code = RegistryErrc::init_failed;
  std::erase_if(error.details, [](const auto& detail) { return detail.first == "kind"; });
  return error;
}

/// The texts of log lines, of those that are wanted: a line each.
template <class Wanted>
std::string texts_of(const std::vector<std::string>& lines, Wanted wanted) {
  std::string texts;
  for (const auto& line : lines) {
    const auto record = json::parse(line, nullptr, false);
    if (record.is_object() && wanted(record)) texts += record.value("text", "") + "\n";
  }
  return texts;
}

/// What the code printed before it failed, of a function's log lines; without the failure, which is there
/// too.
std::string said_while_loading(const std::vector<std::string>& lines, const registry::Version& version,
                               const std::string& begun, const std::string& failure) {
  return texts_of(lines, [&](const json& record) {
    return record.value("version", 0U) == version.number && record.value("time", "") >= begun &&
           !record.value("text", "").contains(failure);
  });
}

std::unexpected<Error> refused_key(const char* key, const std::string& why) {
  auto error = fail(registry::RegistryErrc::bad_config, why);
  error.error().with("key", key);
  return error;
}

/// What a deployed version lists must be there and be readable; a name that is unknown is a mistake in its
/// configuration.
Result<void> check_secrets(const registry::FunctionConfig& config, const secrets::Secrets& secrets) {
  const auto refused = [](const std::string& why) { return refused_key("secrets", "secrets: " + why); };
  for (const auto& secret : config.secrets) {
    const auto value = secrets.reveal(secret.name);
    if (!value && value.error().code == secrets::SecretsErrc::unknown_secret)
      return refused(value.error().message + "; `mayfly secret set " + secret.name + "` makes it");
    if (!value) return std::unexpected(value.error());
    if (!secret.as_file && !is_plain_text(value->view()))
      return refused("'" + secret.name + "' is not text: list it as \"" + secret.name + ":file\"");
  }
  return {};
}

Result<void> check_datasets(const registry::FunctionConfig& config, const datasets::Datasets& datasets) {
  for (const auto& name : config.datasets) {
    const auto current = datasets.current(name);
    if (current) continue;
    const bool unknown = current.error().code == datasets::DatasetsErrc::unknown_dataset;
    return refused_key("datasets",
                       "datasets: " + current.error().message +
                           (unknown ? "; `mayfly dataset create " + name + " --from PATH` makes it" : ""));
  }
  return {};
}

/// What is known before it is asked; a name is looked up then, and its addresses are judged.
Result<void> check_address(const char* key, const std::string& url, const outbound::AddressRules& addresses) {
  const auto parsed = outbound::parse_url(url);
  if (!parsed) return refused_key(key, parsed.error().message);
  const auto checked = outbound::check_host(*parsed, addresses);
  if (checked) return {};
  return refused_key(key,
                     std::string(key) + ": " + checked.error().message +
                         "; the daemon asks others only where `mayfly serve --outbound-allow` names them");
}

Result<void> check_jwt(const registry::FunctionConfig& config,
                       const std::vector<registry::FunctionPtr>& functions,
                       const outbound::AddressRules& addresses) {
  if (config.access != registry::Access::jwt) return {};
  if (auto checked = access::check_key_location(config.jwt.jwks, access::key_locations(functions)); !checked)
    return checked;
  if (access::is_key_file(config.jwt.jwks)) return {};
  return check_address("jwt", config.jwt.jwks, addresses);
}

Result<void> check_upstream(const registry::FunctionConfig& config, const outbound::AddressRules& addresses) {
  return config.upstream.empty() ? Result<void>() : check_address("upstream", config.upstream, addresses);
}

json as_json(const std::vector<sandbox::Layer>& layers) {
  json all = json::array();
  for (const auto& layer : layers)
    all.push_back({{"name", layer.name}, {"there", layer.there}, {"reason", layer.reason}});
  return all;
}

std::uint64_t memory_value(const char* name) {
  std::ifstream info("/proc/meminfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with(name)) return std::stoull(line.substr(line.find_first_of("0123456789"))) * 1024;
  return 0;
}

bool is_upstream(const registry::Function& function) {
  return !function.versions.empty() &&
         function.versions.begin()->second->runtime == registry::Runtime::upstream;
}

}  // namespace

Shard& PlatformOperations::home(std::string_view function) {
  const auto name = function.substr(0, function.find('@'));
  return *parts_.shards[home_shard(name, static_cast<unsigned>(parts_.shards.size()))];
}

awaitable<Result<void>> PlatformOperations::prepare(registry::VersionPtr version) {
  if (auto routes = router::check_routes(*version, all_functions()); !routes) {
    routes.error().code = registry::RegistryErrc::bad_config;
    routes.error().with("key", "routes");
    co_return propagate(routes);
  }
  const auto& config = version->config;
  if (auto checked = check_jwt(config, all_functions(), parts_.addresses); !checked)
    co_return propagate(checked);
  if (auto checked = check_upstream(config, parts_.addresses); !checked) co_return propagate(checked);
  if (auto checked = check_secrets(config, parts_.secrets); !checked) co_return propagate(checked);
  if (auto checked = check_datasets(config, parts_.datasets); !checked) co_return propagate(checked);
  auto& shard = home(version->function);
  std::function<void(std::function<void(Result<void>)>)> start =
      [&shard, version](std::function<void(Result<void>)> then) {
        shard.post([&shard, version, then = std::move(then)] { shard.prepare(version, then); });
      };
  const auto begun = timestamp(std::chrono::system_clock::now());
  auto result = co_await await_answer<Result<void>>(parts_.control, std::move(start));
  if (result) co_return Result<void>{};
  auto error = as_deploy_error(std::move(result.error()));
  if (error.detail("logs").empty()) {
    admin::LogQuery query{version->function, 20, {}};
    const auto lines = co_await logs(std::move(query), nullptr);
    if (auto text = said_while_loading(lines, *version, begun, error.message); !text.empty())
      error.with("logs", std::move(text));
  }
  co_return std::unexpected(std::move(error));
}

std::vector<registry::FunctionPtr> PlatformOperations::all_functions() const {
  std::vector<registry::FunctionPtr> all;
  for (const auto& [name, function] : functions_) all.push_back(function);
  return all;
}

std::vector<std::string> PlatformOperations::warnings_of(const registry::Version& version) {
  return router::route_warnings(version, all_functions());
}

void PlatformOperations::publish(const std::string& name, registry::FunctionPtr function) {
  if (function)
    functions_[name] = function;
  else
    functions_.erase(name);
  if (!function) parts_.logs.forget(name);
  const auto all = all_functions();
  parts_.key_source.want(access::key_locations(all));
  const auto table = std::make_shared<const router::RouteTable>(all);
  for (const auto& shard : parts_.shards)
    shard->post([s = shard.get(), table, name, function] { s->publish(table, name, function); });
  parts_.events.set_function(name, function);
}

awaitable<json> PlatformOperations::live(std::string function) {
  auto& shard = home(function);
  auto asked = ask_shard(parts_.control, shard, [function](Shard& its) { return its.live(function); });
  json result = co_await std::move(asked);
  json missing = json::array();
  for (const auto& layer : parts_.boxes.layers())
    if (!layer.there) missing.push_back("the sandbox has no " + layer.name + ": " + layer.reason);
  if (const auto why = parts_.boxes.no_outbound(); !why.empty())
    missing.push_back("functions have no outbound network: " + why);
  result["sandbox_missing"] = std::move(missing);
  json unlimited = json::array();
  for (const auto& limit : sandbox::limit_layers(parts_.groups))
    if (!limit.there) unlimited.push_back("no " + limit.name + ": " + limit.reason);
  result["limits_missing"] = std::move(unlimited);
  json failures = json::array();
  for (const auto& failure : parts_.logs.failures(function)) {
    json one{{"time", timestamp(failure.time)},
             {"version", failure.version},
             {"invocation", failure.invocation},
             {"type", problem::name(failure.error.code)},
             {"message", failure.error.message}};
    if (const auto stack = failure.error.detail("stack"); !stack.empty()) one["stack"] = stack;
    if (!failure.last_lines.empty()) one["logs"] = failure.last_lines;
    failures.push_back(std::move(one));
  }
  result["failures"] = std::move(failures);
  if (const auto found = functions_.find(function);
      found != functions_.end() && is_upstream(*found->second)) {
    const auto outcomes = co_await upstream_outcomes(function);
    result["invocations"] = {{"answered", outcomes.answered},
                             {"failed", outcomes.failed},
                             {"timed_out", outcomes.timed_out},
                             {"rejected", 0},
                             {"cancelled", outcomes.cancelled}};
  }
  const auto refused = co_await refusals();
  result["refused"] = json::object();
  if (const auto found = refused.find(function); found != refused.end())
    for (const auto& [reason, count] : found->second) result["refused"][problem::name(reason)] = count;
  co_return result;
}

/// Of all shards: a request comes to that of the outermost decorator.
awaitable<Upstreams::Outcomes> PlatformOperations::upstream_outcomes(std::string name) {
  Upstreams::Outcomes all;
  for (const auto& shard : parts_.shards) {
    auto asked =
        ask_shard(parts_.control, *shard, [name](Shard& its) { return its.upstream_outcomes(name); });
    const auto part = co_await std::move(asked);
    all.answered += part.answered;
    all.failed += part.failed;
    all.timed_out += part.timed_out;
    all.cancelled += part.cancelled;
  }
  co_return all;
}

/// Likewise.
awaitable<Shard::RefusalFigures> PlatformOperations::refusals() {
  Shard::RefusalFigures all;
  for (const auto& shard : parts_.shards) {
    auto asked = ask_shard(parts_.control, *shard, [](Shard& its) { return its.refusals(); });
    const auto part = co_await std::move(asked);
    for (const auto& [function, reasons] : part)
      for (const auto& [reason, count] : reasons) all[function][reason] += count;
  }
  co_return all;
}

awaitable<json> PlatformOperations::status() {
  std::size_t instances = 0;
  std::size_t connections = 0;
  std::uint64_t held = 0;
  std::uint64_t budget = 0;
  for (const auto& shard : parts_.shards) {
    auto asked = ask_shard(parts_.control, *shard, [](Shard& its) { return its.figures(); });
    const json figures = co_await std::move(asked);
    instances += figures["instances"].get<std::size_t>();
    connections += figures["connections"].get<std::size_t>();
    held += figures["memory_held"].get<std::uint64_t>();
    budget += figures["memory_budget"].get<std::uint64_t>();
  }
  const auto uptime =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started_);
  json runtimes = json::array();
  for (const auto& one : parts_.runtimes.states())
    runtimes.push_back({{"name", one.name},
                        {"interpreter", one.interpreter},
                        {"version", one.version},
                        {"state", one.pid != 0 ? "up" : "down"},
                        {"pid", one.pid},
                        {"restarts", one.restarts},
                        {"pid_namespace", one.pid_namespace}});
  json memory{{"total", memory_value("MemTotal")},
              {"available", memory_value("MemAvailable")},
              {"held", held},
              {"budget", budget}};
  auto sandbox = as_json(parts_.boxes.layers());
  const auto no_outbound = parts_.boxes.no_outbound();
  sandbox.push_back({{"name", "outbound network"}, {"there", no_outbound.empty()}, {"reason", no_outbound}});
  co_return json{{"version", MAYFLY_VERSION},
                 {"sandbox", std::move(sandbox)},
                 {"limits", as_json(sandbox::limit_layers(parts_.groups))},
                 {"uptime_s", uptime.count()},
                 {"data", data_address},
                 {"runtimes", std::move(runtimes)},
                 {"memory", std::move(memory)},
                 {"instances", instances},
                 {"connections", connections},
                 {"functions", functions_.size()}};
}

awaitable<void> PlatformOperations::evict(std::string function, bool templates) {
  auto& shard = home(function);
  auto asked = ask_shard(parts_.control, shard, [function, templates](Shard& its) {
    its.evict(function, templates);
    return true;
  });
  co_await std::move(asked);
}

/// Until every shard has done it. All are asked before any is waited for: one that is slow does not keep the
/// others from it.
awaitable<void> PlatformOperations::on_every_shard(std::function<void(Shard&)> work) {
  std::function<void(std::function<void(bool)>)> start = [this, work](std::function<void(bool)> then) {
    const auto open = std::make_shared<std::atomic<std::size_t>>(parts_.shards.size());
    for (const auto& shard : parts_.shards)
      shard->post([its = shard.get(), work, open, then] {
        work(*its);
        if (--*open == 0) then(true);
      });
  };
  auto done = await_answer<bool>(parts_.control, std::move(start));
  co_await std::move(done);
}

awaitable<void> PlatformOperations::publish_keys(access::KeyTablePtr keys) {
  std::function<void(Shard&)> publish = [keys](Shard& shard) { shard.publish_keys(keys); };
  auto published = on_every_shard(std::move(publish));
  co_await std::move(published);
}

awaitable<void> PlatformOperations::flush_usage() {
  std::function<void(Shard&)> flush = [](Shard& shard) { shard.flush_usage(); };
  auto flushed = on_every_shard(std::move(flush));
  co_await std::move(flushed);
}

awaitable<std::vector<admin::Renewed>> PlatformOperations::renew(registry::Listed changed) {
  struct All {
    std::mutex mutex;
    std::vector<admin::Renewed> done;
    std::size_t open = 0;
  };
  using Answer = std::vector<admin::Renewed>;
  std::function<void(std::function<void(Answer)>)> start = [this, changed](std::function<void(Answer)> then) {
    const auto all = std::make_shared<All>();
    all->open = parts_.shards.size();
    const auto take = [all, then](const std::vector<Shard::Renewed>& renewed) {
      const std::lock_guard lock(all->mutex);
      for (const auto& one : renewed) all->done.push_back({one.version->address(), one.error});
      if (--all->open == 0) then(std::move(all->done));
    };
    for (const auto& shard : parts_.shards)
      shard->post([s = shard.get(), changed, take] { s->renew(changed, take); });
  };
  co_return co_await await_answer<Answer>(parts_.control, std::move(start));
}

awaitable<Result<admin::InvokeAnswer>> PlatformOperations::invoke(admin::InvokeRequest request) {
  using Answer = Result<admin::InvokeAnswer>;
  const auto function = request.function.substr(0, request.function.find('@'));
  auto& shard = home(function);
  std::function<void(std::function<void(Answer)>)> start = [&shard,
                                                            request](std::function<void(Answer)> then) {
    auto one = std::make_shared<OneInvocation>(request, std::move(then));
    shard.post([&shard, one] { shard.invoke(one); });
    if (request.client) request.client->on_left = [&shard, one] { shard.post([one] { one->leave(); }); };
  };
  const auto client = request.client;
  auto answer = co_await await_answer<Answer>(parts_.control, std::move(start));
  if (client) client->on_left = {};
  if (!answer) {
    // What it logged explains a failure better than anything else.
    admin::LogQuery query{function, 20, std::string(answer.error().detail("invocation"))};
    std::string text;
    if (!query.invocation.empty()) {
      const auto lines = co_await logs(std::move(query), nullptr);
      text = texts_of(lines, [](const json&) { return true; });
    }
    if (!text.empty()) answer.error().with("logs", text);
  }
  co_return answer;
}

awaitable<std::vector<std::string>> PlatformOperations::logs(admin::LogQuery query,
                                                             std::shared_ptr<admin::LogQueue> follow) {
  using Lines = std::vector<std::string>;
  logs::FunctionLogs::Follower follower;
  if (follow)
    follower = [follow](const std::string& line, bool last) {
      if (last) follow->close(line);
      return !last && follow->push(line);
    };
  auto& source = parts_.logs;
  std::function<void(std::function<void(Lines)>)> start = [&source, query,
                                                           follower](std::function<void(Lines)> then) {
    source.read(query.function, query.tail, query.invocation, follower, std::move(then));
  };
  co_return co_await await_answer<Lines>(parts_.control, std::move(start));
}

}  // namespace mayfly::daemon
