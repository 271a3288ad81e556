#include "pool/template_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "pool/failure.h"

namespace mayfly::pool {
namespace {

using nlohmann::json;

constexpr int kMaxConcurrency = 1000;
constexpr std::size_t kMaxWarnings = 32;
constexpr std::size_t kMaxWarning = 1000;

std::string text_at(const json& report, const char* key) {
  const auto found = report.find(key);
  return found != report.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

TemplateReport parse_ready(std::string_view text) {
  const auto report = json::parse(text, nullptr, false);
  TemplateReport result;
  if (!report.is_object()) return result;
  if (const auto serial = report.find("serial"); serial != report.end() && serial->is_boolean())
    result.serial = serial->get<bool>();
  if (const auto unsafe = report.find("unsafe"); unsafe != report.end()) result.unsafe = !unsafe->empty();
  if (const auto found = report.find("concurrency"); found != report.end() && found->is_number_integer())
    result.concurrency =
        static_cast<int>(std::clamp<std::int64_t>(found->get<std::int64_t>(), 1, kMaxConcurrency));
  const auto warnings = report.find("warnings");
  if (warnings == report.end() || !warnings->is_array()) return result;
  for (const auto& warning : *warnings)
    if (warning.is_string() && result.warnings.size() < kMaxWarnings)
      result.warnings.push_back(warning.get<std::string>().substr(0, kMaxWarning));
  return result;
}

Error parse_failed(std::string_view text) {
  const auto report = json::parse(text, nullptr, false);
  Error error{PoolErrc::template_failed, "the code cannot be loaded", {}};
  if (!report.is_object()) return error;
  if (const auto message = text_at(report, "message"); !message.empty()) error.message = message;
  if (text_at(report, "kind") == "sandbox") return {PoolErrc::fork_failed, error.message, {}};
  for (const char* key : {"kind", "file", "stack"})
    if (auto value = text_at(report, key); !value.empty()) error.with(key, std::move(value));
  if (const auto line = report.find("line"); line != report.end() && line->is_number())
    error.with("line", line->dump());
  return error;
}

}  // namespace mayfly::pool
