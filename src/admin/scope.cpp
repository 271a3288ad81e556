#include "admin/scope.h"

#include <algorithm>
#include <array>

namespace mayfly::admin {
namespace {

using enum Scope;

constexpr std::array kGiven{read, invoke, deploy};

/// One row for each route; one that is missing here needs the admin token.
struct Row {
  std::string_view route;
  Scope scope;
};
constexpr auto kTable = std::to_array<Row>({
    {"deploy", deploy},
    {"deleteFunction", deploy},
    {"deleteVersion", deploy},
    {"rollback", deploy},
    {"setTraffic", deploy},
    {"setAlias", deploy},
    {"deleteAlias", deploy},
    {"evict", deploy},
    {"invoke", invoke},
    {"listFunctions", read},
    {"describeFunction", read},
    {"listVersions", read},
    {"getTraffic", read},
    {"listAliases", read},
    {"logs", read},
    {"status", read},
    {"metrics", read},
    {"usage", read},
    {"usageRecords", read},
    {"bill", read},
    {"openapi", read},
    {"listDatasets", read},
    {"describeDataset", read},
    {"createDataset", admin},  // it reads files of the machine
    {"uploadDataset", deploy},
    {"refreshDataset", deploy},
    {"deleteDataset", deploy},
    {"listKeys", admin},
    {"createKey", admin},
    {"revokeKey", admin},
    {"listTokens", admin},
    {"createToken", admin},
    {"revokeToken", admin},
    {"listInvocations", read},
    {"describeInvocation", read},
    {"invocationResult", read},
    {"invocationEvent", read},
    {"cancelInvocation", invoke},
    {"retryInvocation", invoke},
    {"listQueues", read},
    {"listDeliveries", read},
    {"pauseQueue", deploy},
    {"resumeQueue", deploy},
    {"redriveQueue", deploy},
    {"purgeQueue", deploy},
    {"deleteQueue", deploy},
    {"callbackSecret", admin},
    {"listTopics", read},
    {"makeTopic", deploy},
    {"publish", invoke},
    {"listPipelines", read},
    {"describePipeline", read},
    {"deployPipeline", deploy},
    {"deletePipeline", deploy},
    {"startRun", invoke},
    {"listRuns", read},
    {"describeRun", read},
    {"sendRunEvent", invoke},
    {"cancelRun", invoke},
    {"retryRun", invoke},
    {"advise", read},
    {"listSchedules", read},
    {"runSchedule", invoke},
    {"pauseSchedule", deploy},
    {"resumeSchedule", deploy},
});

}  // namespace

std::string_view scope_name(Scope scope) {
  switch (scope) {
    case read:
      return "read";
    case invoke:
      return "invoke";
    case deploy:
      return "deploy";
    case admin:
      return "admin";
  }
  return "";
}

std::optional<Scope> parse_scope(std::string_view name) {
  const auto* const found = std::ranges::find(kGiven, name, scope_name);
  if (found == kGiven.end()) return std::nullopt;
  return *found;
}

std::vector<std::string> scope_names(Scopes scopes) {
  std::vector<std::string> names;
  for (const Scope scope : kGiven)
    if (has(scopes, scope)) names.emplace_back(scope_name(scope));
  return names;
}

Scope scope_of(std::string_view route_id) {
  const auto* const found = std::ranges::find(kTable, route_id, &Row::route);
  return found == kTable.end() ? admin : found->scope;
}

}  // namespace mayfly::admin
