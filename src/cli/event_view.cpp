#include "cli/event_view.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "cli/input.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

std::string took(const json& attempt) {
  const auto from = moment(attempt.value("started", ""));
  const auto to = moment(attempt.value("ended", ""));
  return from && to ? fmt::format("{} ms", (*to - *from).count()) : "";
}

void add_row(std::string& text, const Output& output, const std::string& name, const std::string& value) {
  if (value.empty()) return;
  constexpr std::size_t kWidth = 12;
  text += "  " + output.paint(Style::dim, name) +
          std::string(kWidth - std::min(kWidth - 1, name.size()), ' ') + printable(value) + "\n";
}

std::string accepted_as(const json& event) {
  const auto form = event.value("form", "");
  std::string text = form;
  if (form == "request") text = event.value("method", "") + " " + event.value("target", "");
  if (form == "callback") text = "callback to " + event.value("target", "");
  if (event.contains("bytes")) text += ", " + event["bytes"].dump() + " bytes";
  return text;
}

/// "https://… succeeded, 1 attempt: mayfly invocation get …"
std::string callback_state(const json& callback) {
  auto text = callback.value("url", "");
  if (!callback.contains("invocation")) return text + ", when it has ended";
  const auto attempts = callback.value("attempts", 0);
  return text + fmt::format(" {}, {} attempt{}: mayfly invocation get {}", callback.value("status", ""),
                            attempts, attempts == 1 ? "" : "s", callback.value("invocation", ""));
}

}  // namespace

std::string short_queue(const std::string& name) {
  constexpr std::string_view kFunction = "function:";
  if (name == "function:callbacks") return name;  // without its beginning it would be the platform's queue
  if (name.starts_with(kFunction)) return name.substr(kFunction.size());
  if (name.starts_with("schedule:")) return name;
  std::string text = name;
  if (const auto end = text.find('>'); end != std::string::npos) text[end] = '/';
  return text;
}

std::string paint_state(const Output& output, const std::string& state) {
  if (state == "succeeded") return output.paint(Style::green, state);
  if (state == "dead") return output.paint(Style::red, state);
  if (state == "failed") return output.paint(Style::yellow, state);
  if (state == "running") return output.paint(Style::cyan, state);
  return state;
}

std::string show_outcome(const json& attempt) {
  const auto type = attempt.value("type", "");
  if (type.empty()) return "ok";
  constexpr std::string_view kPrefix = "urn:mayfly:";
  const auto name = type.starts_with(kPrefix) ? type.substr(kPrefix.size()) : type;
  auto message = printable(attempt.value("message", ""));
  if (const auto end = message.find('\n'); end != std::string::npos) message.resize(end);
  return message.empty() ? name : name + ": " + message;
}

std::string invocation_table(const json& invocations, const Output& output) {
  Table table({"INVOCATION", "STATUS", "ATTEMPTS", "ACCEPTED", "QUEUE", "ANSWER"});
  for (const auto& one : invocations) {
    const auto answer = one.contains("result") ? one["result"].value("status", 0) : 0;
    table.row({one.value("invocation", ""), paint_state(output, one.value("status", "")),
               std::to_string(one.value("attempts", 0)), short_time(one.value("accepted", "")),
               short_queue(one.value("queue", "")), answer == 0 ? "-" : std::to_string(answer)});
  }
  return table.text(output);
}

std::string show_event(const json& event, const Output& output) {
  const auto deliveries = event.value("deliveries", json::array());
  std::string text = output.paint(Style::bold, event.value("invocation", "")) + "  " +
                     paint_state(output, event.value("status", "")) + "\n";
  add_row(text, output, "topic", event.value("topic", ""));
  add_row(text, output, "accepted", short_time(event.value("accepted", "")));
  if (deliveries.empty()) return text + "  no subscription that it is for\n";
  return text + "\n" + invocation_table(deliveries, output);
}

std::string show_invocation(const json& invocation, const Output& output) {
  if (invocation.contains("deliveries") && invocation["deliveries"].size() != 1)
    return show_event(invocation, output);
  const auto id = invocation.value("invocation", "");
  const auto function = invocation.value("function", "");
  std::string text =
      output.paint(Style::bold, id) + "  " + paint_state(output, invocation.value("status", "")) + "\n";
  add_row(text, output, "function", function);
  const auto event = invocation.value("event", json::object());
  add_row(text, output, "version", event.value("reference", ""));
  add_row(text, output, "queue", short_queue(invocation.value("queue", "")));
  add_row(text, output, "accepted", short_time(invocation.value("accepted", "")));
  if (!event.empty()) add_row(text, output, "as", accepted_as(event));
  add_row(text, output, "partition", event.value("partition", ""));
  add_row(text, output, "key", event.value("idempotency_key", ""));
  add_row(text, output, "finished", short_time(invocation.value("finished", "")));
  add_row(text, output, "next", short_time(invocation.value("next_attempt", "")));
  if (invocation.contains("result")) {
    const auto& result = invocation["result"];
    add_row(text, output, "answer",
            fmt::format("{}, {} bytes: mayfly invocation result {}", result.value("status", 0),
                        result.value("bytes", 0), id));
  }
  if (invocation.contains("callback"))
    add_row(text, output, "callback", callback_state(invocation["callback"]));
  const bool step = event.value("form", "") == "step";  // its target is the function
  if (!function.empty() && invocation.value("attempts", 0) > 0 &&
      (step || !function.starts_with("pipeline:")))
    add_row(text, output, "log",
            "mayfly logs " + (step ? event.value("target", "") : function) + " --invocation " + id);
  if (!invocation.contains("history")) return text;
  Table table({"ATTEMPT", "STARTED", "TOOK", "VERSION", "OUTCOME"});
  for (const auto& attempt : invocation["history"])
    table.row({std::to_string(attempt.value("number", 0)), short_time(attempt.value("started", "")),
               took(attempt), attempt.value("version", "-"), show_outcome(attempt)});
  return text + "\n" + table.text(output);
}

}  // namespace mayfly::cli
