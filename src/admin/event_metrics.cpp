#include "admin/event_metrics.h"

namespace mayfly::admin {

using events::QueueView;
using events::State;

namespace {

/// A value between the quotes of a label.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string head(const char* name, const char* kind, const char* help) {
  return std::string("# HELP ") + name + " " + help + "\n# TYPE " + name + " " + kind + "\n";
}

std::string labels(const QueueView& queue, const std::string& more = {}) {
  return "{queue=\"" + escaped(queue.info.name) + "\",function=\"" + escaped(queue.function) + "\"" + more +
         "} ";
}

/// One sample for each queue.
struct QueueMetric {
  const char* name;
  const char* help;
  std::uint64_t (*value)(const QueueView&);
};
constexpr QueueMetric kQueueMetrics[] = {
    {"mayfly_queue_backlog", "Events that were accepted and not looked at yet.",
     [](const QueueView& of) { return of.figures.backlog; }},
    {"mayfly_queue_waiting", "Deliveries that wait in memory for their next attempt.",
     [](const QueueView& of) { return std::uint64_t{of.figures.waiting}; }},
    {"mayfly_queue_running", "Invocations of the queue that run.",
     [](const QueueView& of) { return std::uint64_t{of.figures.running}; }},
    {"mayfly_queue_dead_letters", "Deliveries that were given up and are kept.",
     [](const QueueView& of) {
       const auto dead = of.kept.find(State::dead);
       return dead == of.kept.end() ? 0 : dead->second;
     }},
    {"mayfly_queue_paused", "1 if the queue is paused.",
     [](const QueueView& of) { return std::uint64_t{of.paused ? 1U : 0U}; }},
};

std::string outcomes(const std::vector<QueueView>& queues) {
  const auto* const name = "mayfly_queue_deliveries_total";
  std::string page =
      head(name, "counter", "Ends of attempts by what they came to; failed: another one follows.");
  for (const auto& queue : queues) {
    const auto& figures = queue.figures;
    const std::pair<const char*, std::uint64_t> all[] = {{"succeeded", figures.succeeded},
                                                         {"failed", figures.failed},
                                                         {"dead", figures.dead},
                                                         {"cancelled", figures.cancelled}};
    for (const auto& [outcome, count] : all)
      page +=
          name + labels(queue, std::string(",outcome=\"") + outcome + "\"") + std::to_string(count) + "\n";
  }
  return page;
}

std::string single(const char* name, const char* kind, const char* help, std::uint64_t value) {
  return head(name, kind, help) + name + " " + std::to_string(value) + "\n";
}

}  // namespace

std::string event_metrics(const std::vector<QueueView>& queues, const events::StoreFigures& store) {
  std::string page = outcomes(queues);
  for (const auto& metric : kQueueMetrics) {
    page += head(metric.name, "gauge", metric.help);
    for (const auto& queue : queues)
      page += metric.name + labels(queue) + std::to_string(metric.value(queue)) + "\n";
  }
  page += single("mayfly_events_accepted_total", "counter", "Events that were accepted since the start.",
                 store.appended);
  page += single("mayfly_event_store_commits_total", "counter", "Groups that the event store has written.",
                 store.commits);
  page +=
      single("mayfly_event_store_waiting", "gauge", "Calls that wait for the event store.", store.waiting);
  page += single("mayfly_event_store_bytes", "gauge", "Size of the event store.", store.bytes);
  return page;
}

}  // namespace mayfly::admin
