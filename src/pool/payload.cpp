#include "pool/payload.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/hex.h"
#include "base/memory_file.h"
#include "base/text.h"
#include "pool/failure.h"
#include "wire/control.h"

namespace mayfly::pool {
namespace {

using nlohmann::json;
using secrets::Plaintext;

/// Everything but the environment and the datasets.
json description(std::string_view role, const registry::Version& version) {
  const auto& config = version.config;
  json layers = json::array();
  for (const auto& layer : version.layers) layers.push_back(layer.string());
  return {{"role", role},
          {"root", version.root.string()},
          {"entry", version.entry},
          {"layers", std::move(layers)},
          {"handler", config.handler},
          {"function", version.function},
          {"version", version.number},
          {"memory", config.memory},
          {"timeout", config.timeout.count()}};
}

std::string json_text(std::string_view text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

/// As json_text(), without the copies that a JSON library makes. The text is UTF-8.
void append_json_text(Plaintext& out, std::string_view text) {
  out.append("\"");
  while (!text.empty()) {
    const auto plain = std::min(
        text.size(),
        static_cast<std::size_t>(
            std::ranges::find_if(text, [](char c) { return c == '"' || c == '\\' || (c >= 0 && c < ' '); }) -
            text.begin()));
    out.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const auto c = static_cast<unsigned char>(text.front());
    const std::array<char, 6> escaped{'\\', 'u', '0', '0', kHexDigits[c >> 4U], kHexDigits[c & 15U]};
    out.append({escaped.data(), escaped.size()});
    text.remove_prefix(1);
  }
  out.append("\"");
}

/// A secret as a descriptor of the child; gives its path there.
Result<std::string> add_file(tmpl::Payload& payload, const std::string& name, const Plaintext& value) {
  auto file = sealed_file(name.substr(0, 200).c_str(), value.view());
  if (!file) return propagate(file);
  payload.files.push_back(std::move(*file));
  return "/proc/self/fd/" + std::to_string(wire::kFirstFile + static_cast<int>(payload.files.size()) - 1);
}

/// What a dataset holds now, as a descriptor of the child. It keeps this generation for as long as it lives.
Result<json> add_dataset(tmpl::Payload& payload, const std::string& name,
                         const datasets::Datasets* datasets) {
  if (datasets == nullptr) return fail(PoolErrc::template_failed, "there are no datasets");
  const auto current = datasets->current(name);
  if (!current)
    return fail(PoolErrc::template_failed, "the function lists a dataset: " + current.error().message);
  const auto& generation = **current;
  Fd file(::fcntl(generation.file.get(), F_DUPFD_CLOEXEC, 0));
  if (!file) return fail(PoolErrc::fork_failed, "out of file descriptors");
  json parts = json::array();
  for (const auto& part : generation.parts)
    parts.push_back({{"name", part.name}, {"offset", part.offset}, {"size", part.size}});
  payload.files.push_back(std::move(file));
  return json{{"name", name},
              {"fd", wire::kFirstFile + static_cast<int>(payload.files.size()) - 1},
              {"size", generation.size},
              {"files", std::move(parts)}};
}

Result<Plaintext> reveal(const secrets::Secrets* secrets, const std::string& name) {
  if (secrets != nullptr) return secrets->reveal(name);
  return fail(secrets::SecretsErrc::unknown_secret, "there is no secret '" + name + "'");
}

std::string not_text(const std::string& name) {
  return "the secret '" + name + "' is not text, so it cannot be a variable: list it as \"" + name +
         ":file\"";
}

Result<void> append_secrets(Plaintext& document, tmpl::Payload& payload, const registry::Version& version,
                            const secrets::Secrets* secrets) {
  bool first = version.config.env.empty();
  for (const auto& secret : version.config.secrets) {
    const auto value = reveal(secrets, secret.name);
    if (!value)
      return fail(PoolErrc::template_failed, "the function lists a secret: " + value.error().message);
    if (!secret.as_file && !is_plain_text(value->view()))
      return fail(PoolErrc::template_failed, not_text(secret.name));
    document.append((std::exchange(first, false) ? "\"" : ",\"") + secret.name + "\":");
    if (!secret.as_file) {
      append_json_text(document, value->view());
      continue;
    }
    const auto path = add_file(payload, secret.name, *value);
    if (!path) return fail(PoolErrc::fork_failed, path.error().message);
    document.append(json_text(*path));
  }
  return {};
}

}  // namespace

Result<tmpl::Payload> template_payload(std::string_view role, const registry::Version& version,
                                       const Stores& stores) {
  tmpl::Payload payload;
  auto described = description(role, version);
  described["datasets"] = json::array();
  for (const auto& name : version.config.datasets) {
    auto dataset = add_dataset(payload, name, stores.datasets);
    if (!dataset) return propagate(dataset);
    described["datasets"].push_back(std::move(*dataset));
  }
  auto text = described.dump(-1, ' ', false, json::error_handler_t::replace);
  text.pop_back();  // the closing brace: the environment follows
  Plaintext document;
  document.append(text + ",\"env\":{");
  bool first = true;
  for (const auto& [name, value] : version.config.env)
    document.append((std::exchange(first, false) ? "" : ",") + json_text(name) + ":" + json_text(value));
  if (auto done = append_secrets(document, payload, version, stores.secrets); !done) return propagate(done);
  document.append("}}");
  auto file = sealed_file("payload", document.view());
  if (!file) return fail(PoolErrc::fork_failed, file.error().message);
  payload.document = std::move(*file);
  return payload;
}

tmpl::Payload instance_payload() { return {.json = R"({"role":"instance"})"}; }

}  // namespace mayfly::pool
