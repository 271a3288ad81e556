// The endpoints of the admin plane.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <vector>

#include "access/keys.h"
#include "admin/platform.h"
#include "admin/route.h"
#include "admin/tokens.h"
#include "datasets/datasets.h"
#include "events/engine.h"
#include "meter/budget.h"
#include "meter/ledger.h"
#include "meter/prices.h"
#include "pipelines/pipelines.h"
#include "registry/deploy.h"
#include "registry/registry.h"
#include "secrets/secrets.h"

namespace mayfly::admin {

/// What the endpoints work on. It and all that it refers to outlive the routes.
struct Services {
  registry::Registry& registry;
  registry::Deployer& deployer;
  Operations& operations;
  secrets::Secrets& secrets;
  datasets::Datasets& datasets;
  boost::asio::any_io_executor control;  ///< the server's
  Tokens& tokens;
  access::Keys& keys;
  events::Engine& events;
  pipelines::Pipelines& pipelines;
  std::string callback_secret{};    ///< that receivers of callbacks need
  meter::Ledger* ledger = nullptr;  ///< null: nothing is metered
  const meter::BudgetBook* budgets = nullptr;
  meter::Prices prices{};  ///< by which bills are made
};

/// Deploys what the request brings. To one that accepts application/x-ndjson the answer is what tools print,
/// as it comes, and a last line with the result (docs/dependencies.md): deploy_api.cpp.
[[nodiscard]] boost::asio::awaitable<Result<Response>> deploy(const Services& services, Request& request);

/// Deploy, list, describe, delete; versions, rollback, traffic, aliases: functions_api.cpp.
[[nodiscard]] std::vector<Route> function_routes(const Services& services);
/// Invocations, logs, status, metrics and health: runtime_api.cpp.
[[nodiscard]] std::vector<Route> runtime_routes(const Services& services);
/// Set, list, delete: secrets_api.cpp.
[[nodiscard]] std::vector<Route> secret_routes(const Services& services);
/// Make, load again, list, delete: datasets_api.cpp.
[[nodiscard]] std::vector<Route> dataset_routes(const Services& services);
/// Make, list, revoke: tokens_api.cpp.
[[nodiscard]] std::vector<Route> token_routes(const Services& services);
/// Make, list, revoke API keys of functions: keys_api.cpp.
[[nodiscard]] std::vector<Route> key_routes(const Services& services);
/// Look at what was accepted to be delivered later, cancel it, attempt it again: invocations_api.cpp.
[[nodiscard]] std::vector<Route> invocation_routes(const Services& services);
/// List, stop, empty queues; their dead letters: queues_api.cpp.
[[nodiscard]] std::vector<Route> queue_routes(const Services& services);
/// Callbacks' secret: callbacks_api.cpp.
[[nodiscard]] std::vector<Route> callback_routes(const Services& services);
/// Pipelines and their runs: pipelines_api.cpp.
[[nodiscard]] std::vector<Route> pipeline_routes(const Services& services);
/// List and make topics: topics_api.cpp.
[[nodiscard]] std::vector<Route> topic_routes(const Services& services);
/// List, run, stop schedules: schedules_api.cpp.
[[nodiscard]] std::vector<Route> schedule_routes(const Services& services);
/// What was used, and what it costs: usage_api.cpp.
[[nodiscard]] std::vector<Route> usage_routes(const Services& services);
/// Which form fits functions: advice_api.cpp.
[[nodiscard]] std::vector<Route> advice_routes(const Services& services);
/// All of these, and the OpenAPI document that describes them.
[[nodiscard]] std::vector<Route> api_routes(const Services& services);

}  // namespace mayfly::admin
