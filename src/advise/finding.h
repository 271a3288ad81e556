// What the rules say.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mayfly::advise {

/// The form in which a function is to run.
enum class Form {
  per_request,  ///< as a function, started when asked for
  warm,         ///< min_instances
  background,   ///< class = "background"
  isolation,    ///< another `isolation`
  dataset,      ///< what it loads becomes a dataset
  merged,       ///< one function with those that it calls
  service,      ///< not a function: a process that runs always
};
[[nodiscard]] std::string_view form_name(Form form);

/// How much the history carries. low: less than a day, or fewer than 100 requests; high: a week and more,
/// with 1000 requests.
enum class Confidence { low, medium, high };
[[nodiscard]] std::string_view confidence_name(Confidence confidence);

/// One key of [functions.NAME] and what it is to be.
struct Change {
  std::string key;
  std::string value;  ///< as TOML writes it: `1`, `"background"`
};

struct Finding {
  std::string rule;  ///< stable id, as in docs/advise.md
  Form form = Form::per_request;
  std::string summary;  ///< for people: what is advised, and the figures that it follows from
  std::string reason;   ///< the rule that was used, with its thresholds
  std::vector<std::pair<std::string, double>> figures{};  ///< units are in the names: "wall_mean_s"
  std::optional<double> cost_now{};                       ///< of the whole history, in the sheet's currency
  std::optional<double> cost_then{};                      ///< the same, had it run in the form advised
  Confidence confidence = Confidence::low;
  std::vector<std::string> unknown{};  ///< what the history cannot tell, one sentence each
  std::optional<Change> change{};      ///< nothing: no key of mayfly.toml makes it so
};

}  // namespace mayfly::advise
