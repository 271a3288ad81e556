#include "cli/credential.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/daemon_client.h"
#include "cli/error.h"
#include "cli/input.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

std::string target_of(const CredentialKind& kind) { return "/v1/" + kind.noun + "s"; }

Result<int> create(Context& context, const CredentialKind& kind, const CredentialArguments& arguments,
                   json body) {
  body["name"] = arguments.name;
  if (arguments.expires) {
    const auto lifetime = parse_lifetime(*arguments.expires);
    if (!lifetime)
      return fail(CliErrc::usage, "--expires " + *arguments.expires + ": must be a time such as 30d or 12h");
    body["expires_in_s"] = *lifetime;
  }
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  const auto answer = client->send_json("POST", target_of(kind), body);
  if (!answer) return std::unexpected(answer.error());
  if (context.json) {
    context.out.line(answer->dump(2));
    return kOk;
  }
  // Its text alone is on standard output: TOKEN=$(mayfly token create …)
  context.err.line("this is shown once:");
  context.out.line(answer->value(kind.noun, ""));
  return kOk;
}

Result<int> list(Context& context, const CredentialKind& kind) {
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  const auto answer = client->get(target_of(kind));
  if (!answer) return std::unexpected(answer.error());
  if (context.json) {
    context.out.line(answer->dump(2));
    return kOk;
  }
  std::vector<std::string> titles{"NAME"};
  titles.insert(titles.end(), kind.columns.begin(), kind.columns.end());
  titles.insert(titles.end(), {"CREATED", "EXPIRES"});
  Table table(std::move(titles));
  for (const auto& item : answer->at(kind.noun + "s")) {
    std::vector<std::string> row{context.out.paint(Style::bold, item.value("name", ""))};
    for (auto& cell : kind.cells(item)) row.push_back(std::move(cell));
    row.push_back(short_time(item.value("created", "")));
    row.push_back(item.contains("expires") ? short_time(item.value("expires", "")) : "never");
    table.row(std::move(row));
  }
  if (table.empty())
    context.out.line(kind.none);
  else
    context.out.write(table.text(context.out));
  return kOk;
}

Result<int> revoke(Context& context, const CredentialKind& kind, const std::string& name) {
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  auto answer = client->send({.method = "DELETE", .target = target_of(kind) + "/" + percent_encode(name)});
  if (!answer) return propagate(answer);
  context.out.line(context.json ? json{{"revoked", name}}.dump() : name + " is revoked");
  return kOk;
}

}  // namespace

Result<int> run_credential_verb(Context& context, const CredentialKind& kind,
                                const CredentialArguments& arguments,
                                const std::function<Result<json>()>& more) {
  constexpr std::array<std::string_view, 3> kActions{"create", "list", "revoke"};
  const auto& [action, name, expires] = arguments;
  if (std::ranges::find(kActions, action) == kActions.end())
    return fail(CliErrc::usage,
                kind.noun + "s can be created (create), listed (list) and revoked (revoke), there is no '" +
                    action + "'" + did_you_mean(action, kActions));
  if (action == "list") {
    if (!name.empty()) return fail(CliErrc::usage, "`mayfly " + kind.noun + " list` takes no name");
    return list(context, kind);
  }
  if (name.empty())
    return fail(CliErrc::usage, "which " + kind.noun + "? mayfly " + kind.noun + " " + action + " NAME");
  if (action == "revoke") return revoke(context, kind, name);
  auto body = more();
  if (!body) return propagate(body);
  return create(context, kind, arguments, std::move(*body));
}

std::string joined(const json& texts, const std::string& between) {
  std::string all;
  for (const auto& text : texts) all += (all.empty() ? "" : between) + text.get<std::string>();
  return all;
}

}  // namespace mayfly::cli
