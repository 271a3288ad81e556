#include "cli/pipeline_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/event_view.h"
#include "cli/input.h"

namespace mayfly::cli {

using nlohmann::json;
using std::chrono::milliseconds;

namespace {

/// Roughly, as people say it.
std::string in_words(milliseconds time) {
  const auto ms = time.count();
  if (ms < 1'000) return fmt::format("{} ms", ms);
  if (ms < 120'000) return fmt::format("{:.1f} s", static_cast<double>(ms) / 1e3);
  if (ms < 7'200'000) return fmt::format("{} min", ms / 60'000);
  if (ms < 172'800'000) return fmt::format("{} h", ms / 3'600'000);
  return fmt::format("{} days", ms / 86'400'000);
}

std::string took(const json& object) {
  const auto from = moment(object.value("started", ""));
  const auto to = moment(object.value("finished", ""));
  return from && to ? in_words(*to - *from) : "";
}

struct Mark {
  const char* sign;
  Style style;
};

Mark mark_of(const std::string& state) {
  if (state == "succeeded") return {"✓", Style::green};
  if (state == "failed") return {"✗", Style::red};
  if (state == "cancelled") return {"⊘", Style::yellow};
  if (state == "running" || state == "compensating") return {"▶", Style::cyan};
  if (state == "waiting") return {"◷", Style::cyan};
  return {"·", Style::dim};
}

std::string shortened(const json& value) {
  constexpr std::size_t kWidth = 100;
  auto text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > kWidth) text = text.substr(0, kWidth) + "…";
  return text;
}

std::string what_of(const json& step) {
  const auto kind = step.value("kind", "");
  std::string what = kind;
  if (kind == "function") what = step.value("function", "");
  if (kind == "await") what = "await " + step.value("event", "");
  if (step.contains("items"))
    what += fmt::format(" ({} of {})", step.value("done", 0), step.value("items", 0));
  return printable(what);
}

/// "attempt 2 of 5, after status: answered with status 500; the next at 12:00:05"
std::string attempts_in(const json& call, int attempts) {
  const auto attempt = call.value("attempt", 0);
  if (attempt <= 1 && !call.contains("last_failure")) return "";
  auto text = fmt::format("attempt {} of {}", attempt, attempts);
  if (call.contains("next_attempt"))
    text += " has failed";
  else
    text += " is under way; the one before";
  text += call.contains("last_failure") ? ": " + show_outcome(call["last_failure"]) : "";
  if (call.contains("next_attempt")) text += "; the next at " + short_time(call.value("next_attempt", ""));
  return text;
}

std::string note_of(const json& run, const json& step) {
  if (step.contains("error")) return show_outcome(step["error"]);
  if (step.contains("attempts") && step.contains("attempt"))
    return attempts_in(step, step.value("attempts", 0));
  if (step.value("state", "") == "waiting") return "until " + short_time(step.value("until", ""));
  if (step.contains("undoes")) {
    const auto number = step["undoes"].get<std::size_t>();
    return "undoes " + run.at("steps").at(number).value("step", "");
  }
  return "";
}

}  // namespace

std::string step_names(const json& pipeline) {
  std::string text;
  for (const auto& step : pipeline.value("steps", json::array()))
    text += (text.empty() ? "" : ", ") + step.value("name", "");
  constexpr std::size_t kWidth = 60;
  if (text.size() > kWidth) text = text.substr(0, kWidth) + "…";
  return text;
}

std::string triggers_of(const json& pipeline) {
  std::string text;
  for (const auto& trigger : pipeline.value("on", json::array())) {
    const auto one =
        trigger.contains("topic") ? "topic " + trigger.value("topic", "") : trigger.value("schedule", "");
    text += (text.empty() ? "" : ", ") + one;
  }
  return text.empty() ? "-" : text;
}

std::string run_table(const json& answer, const Output& output) {
  Table table({"RUN", "STATE", "STEP", "STARTED", "TOOK"});
  for (const auto& run : answer.at("runs")) {
    const auto state = run.value("state", "");
    table.row({run.value("id", ""), output.paint(mark_of(state).style, state), run.value("step", "-"),
               short_time(run.value("started", "")), took(run)});
  }
  if (table.empty()) return "no runs\n";
  auto text = table.text(output);
  if (answer.contains("more"))
    text += output.paint(Style::dim, "more with --before " + answer.value("more", "")) + "\n";
  return text;
}

std::string show_run(const json& run, const Output& output) {
  const auto state = run.value("state", "");
  const auto mark = mark_of(state);
  std::string text = output.paint(Style::bold, run.value("pipeline", "")) + " " + run.value("id", "") + "  " +
                     output.paint(mark.style, state);
  text += ", started " + short_time(run.value("started", ""));
  if (const auto time = took(run); !time.empty()) text += ", took " + time;
  text += "\n";
  if (run.contains("error")) {
    const auto& error = run["error"];
    text += "  " +
            output.paint(Style::red,
                         (error.value("step", "").empty() ? "" : "step " + error.value("step", "") + ": ") +
                             show_outcome(error)) +
            "\n";
  }
  const auto& steps = run.at("steps");
  const bool undoing = std::ranges::any_of(steps, [](const json& step) { return step.contains("undoes"); });
  if (run.value("compensated", false))
    text += "  what it had done is undone\n";
  else if (undoing && run.contains("compensated"))
    text += "  not everything it had done is undone\n";
  else if (state == "failed")
    text += output.paint(Style::dim, "  mayfly pipeline retry " + run.value("id", "") +
                                         " goes on at the step that failed") +
            "\n";
  Table table({" ", "STEP", "WHAT", "STATE", "TOOK", "NOTE"});
  for (const auto& step : steps) {
    const auto one = mark_of(step.value("state", ""));
    table.row({output.paint(one.style, one.sign), step.value("step", ""), what_of(step),
               step.value("state", ""), took(step), note_of(run, step)});
    for (const auto& call : step.value("calls", json::array()))
      if (const auto note = attempts_in(call, step.value("attempts", 0)); !note.empty())
        table.row(
            {"", "", output.paint(Style::dim, fmt::format("call {}", call.value("index", 0))), "", "", note});
    if (step.contains("output")) table.row({"", "", output.paint(Style::dim, shortened(step["output"]))});
  }
  return text + table.text(output);
}

}  // namespace mayfly::cli
