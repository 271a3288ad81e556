#include "cli/advice_view.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/input.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

std::string cost_text(double cost, const std::string& currency) {
  return fmt::format("{:.4g} {}", cost, currency);
}

void show_cost(Output& out, const json& finding, const std::string& currency) {
  if (!finding.contains("cost_now")) return;
  const double now = finding.value("cost_now", 0.0);
  std::string text = "  cost       " + cost_text(now, currency) + " in this history";
  if (finding.contains("cost_then")) {
    const double then = finding.value("cost_then", 0.0);
    text += ", " + cost_text(then, currency) + " as advised";
    if (now > 0) text += fmt::format(" ({:.3g} %)", 100 * then / now);
  }
  out.line(text);
}

void show_finding(Output& out, const json& finding, const std::string& currency) {
  const auto rule = finding.value("rule", "");
  const bool fits = rule == "as-it-is";
  out.line("  " + out.paint(fits ? Style::green : Style::yellow, finding.value("form", "")) + "  " +
           finding.value("summary", ""));
  out.line(out.paint(Style::dim, "  rule       " + rule + ": " + finding.value("reason", "")));
  show_cost(out, finding, currency);
  std::string unknown;
  for (const auto& one : finding.value("unknown", json::array()))
    unknown += (unknown.empty() ? "" : "; ") + one.get<std::string>();
  out.line("  confidence " + finding.value("confidence", "") +
           (unknown.empty() ? "" : ", not known: " + unknown));
  if (finding.contains("change"))
    out.line("  change     " + finding["change"].value("key", "") + " = " +
             finding["change"].value("value", ""));
}

}  // namespace

void show_advice(Output& out, const json& function, const std::string& currency) {
  const auto& history = function.at("history");
  out.line(out.paint(Style::bold, function.value("function", "")) +
           fmt::format("  {} requests from {} to {} (UTC)", history.value("requests", std::uint64_t{0}),
                       short_time(history.value("from", "")), short_time(history.value("to", ""))));
  bool first = true;
  for (const auto& finding : function.at("findings")) {
    if (!first) out.line("");
    first = false;
    show_finding(out, finding, currency);
  }
}

}  // namespace mayfly::cli
