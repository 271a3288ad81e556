#include "exec/configuration.h"

#include <cctype>
#include <nlohmann/json.hpp>

namespace mayfly::exec {
namespace {

constexpr const char* kBootstrap = "bootstrap";  // what Lambda's custom runtimes are called
constexpr const char* kNoHandler = "default";    // what the daemon says when none is configured

/// "access-log" as "MAYFLY_DATASET_ACCESS_LOG".
std::string dataset_variable(const std::string& name) {
  std::string variable = "MAYFLY_DATASET_";
  for (const unsigned char c : name)
    variable.push_back(std::isalnum(c) != 0 ? static_cast<char>(std::toupper(c)) : '_');
  return variable;
}

}  // namespace

std::string Configuration::entry_name() const {
  const auto slash = entry.rfind('/');
  return slash == std::string::npos ? entry : entry.substr(slash + 1);
}

/// The daemon decides in the same way how it delivers events: src/registry/source_kind.cpp, speaks_lambda().
Form Configuration::form() const {
  const bool names_handler = !handler.empty() && handler != kNoHandler;
  return entry_name() == kBootstrap || names_handler ? Form::lambda : Form::cgi;
}

std::string Configuration::handler_name() const {
  return handler.empty() || handler == kNoHandler ? entry_name() : handler;
}

Configuration parse_configuration(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  Configuration result;
  if (!json.is_object()) return result;
  const auto take = [&](const char* key, std::string& into) {
    if (const auto found = json.find(key); found != json.end() && found->is_string())
      into = found->get<std::string>();
  };
  take("role", result.role);
  take("root", result.root);
  take("entry", result.entry);
  take("handler", result.handler);
  take("function", result.function);
  if (const auto version = json.find("version"); version != json.end() && version->is_number())
    result.version = version->dump();
  if (const auto memory = json.find("memory"); memory != json.end() && memory->is_number_unsigned())
    result.memory = memory->get<std::uint64_t>();
  if (const auto env = json.find("env"); env != json.end() && env->is_object())
    for (const auto& [name, value] : env->items())
      if (value.is_string()) result.env[name] = value.get<std::string>();
  for (const auto& dataset : json.value("datasets", nlohmann::json::array()))
    result.datasets[dataset_variable(dataset.value("name", ""))] =
        "/proc/self/fd/" + std::to_string(dataset.value("fd", -1));
  return result;
}

}  // namespace mayfly::exec
