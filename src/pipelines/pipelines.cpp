#include "pipelines/pipelines.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "events/after.h"
#include "pipelines/attempts.h"
#include "pipelines/decisions.h"
#include "pipelines/value.h"
#include "pipelines/view.h"

namespace mayfly::pipelines {

using events::Document;
using events::EventPtr;
using events::EventsErrc;
using events::NewEvent;
using events::Transaction;
using nlohmann::json;

namespace {

constexpr std::chrono::seconds kReadAgain{1};
/// More than there can be.
constexpr std::size_t kMostPipelines = 100'000;
/// Runs of which those of one state are looked for.
constexpr std::size_t kPage = 256;

/// Once a decision is durable: cancels the deliveries that are of no use any more, and tells.
Then<void> cancelling(events::Engine& engine, ToCancel deliveries, Then<void> then) {
  return [&engine, deliveries = std::move(deliveries), then = std::move(then)](Result<void> done) {
    if (done)
      for (const auto& id : *deliveries) engine.cancel(id, [](const Result<events::State>&) {});
    then(std::move(done));
  };
}

}  // namespace

void Pipelines::start() {
  engine_.documents({.prefix = "pipeline", .limit = kMostPipelines},
                    [this](Result<std::vector<Document>> found) {
                      if (found) return read(*found);
                      spdlog::error("pipelines cannot be read: {}", found.error().message);
                      events::after(engine_.executor(), kReadAgain, [this] { start(); });
                    });
}

void Pipelines::read(const std::vector<Document>& documents) {
  for (const auto& [key, value] : documents) {
    if (key.starts_with(kDeleted)) {
      forget(key.substr(kDeleted.size()));
      continue;
    }
    if (!key.starts_with(kAllPipelines)) continue;
    auto stored = stored_definition(key.substr(kAllPipelines.size()), value);
    if (stored)
      take(std::make_shared<const StoredDefinition>(std::move(*stored)));
    else
      spdlog::error("what is kept of {} cannot be read: {}", key, stored.error().message);
  }
}

void Pipelines::take(const DefinitionPtr& stored) {
  const auto& name = stored->definition.name;
  {
    const std::lock_guard lock(mutex_);
    definitions_[name] = stored;
  }
  attach_(name, stored);
}

void Pipelines::forget(const std::string& name) {
  {
    const std::lock_guard lock(mutex_);
    definitions_[name] = nullptr;
  }
  attach_(name, nullptr);
}

void Pipelines::deploy(Definition definition, Then<DefinitionPtr> then) {
  const auto stored = std::make_shared<StoredDefinition>();
  const auto decision = pipelines::deploy(std::move(definition), stored);
  engine_.decide(decision, [this, stored, then = std::move(then)](Result<void> done) {
    if (!done) return then(propagate(done));
    take(stored);
    then(stored);
  });
}

void Pipelines::remove(const std::string& name, Then<void> then) {
  engine_.decide(remove_pipeline(name), [this, name, then = std::move(then)](Result<void> done) {
    if (done) forget(name);
    then(std::move(done));
  });
}

DefinitionPtr Pipelines::find(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = definitions_.find(name);
  return found == definitions_.end() ? nullptr : found->second;
}

std::vector<DefinitionPtr> Pipelines::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<DefinitionPtr> all;
  for (const auto& [name, stored] : definitions_)
    if (stored) all.push_back(stored);
  return all;
}

Error Pipelines::unknown(const std::string& name) const {
  const auto all = list();
  std::vector<std::string_view> names;
  for (const auto& stored : all) names.push_back(stored->definition.name);
  return Error{EventsErrc::unknown_pipeline, "no pipeline '" + name + "'" + did_you_mean(name, names), {}};
}

// --- Runs --------------------------------------------------------------------------------------------

/// The run is there when this is answered: whoever got its id may send it an event at once. The event by
/// which it was started is delivered, too, and finds it there.
void Pipelines::start_run(const std::string& name, std::string input, std::string idempotency_key,
                          Then<std::string> then) {
  if (!find(name)) return then(std::unexpected(unknown(name)));
  if (auto checked = check_value(input); !checked) return then(propagate(checked));
  if (auto room = engine_.check_room(stream_name(name)); !room) return then(propagate(room));
  const auto brings = 2 * input.size() + 1'024;
  NewEvent event;
  event.form = events::Form::payload;
  event.method = "POST";
  event.target = "/";
  event.idempotency_key = std::move(idempotency_key);
  event.body = std::move(input);
  auto id = std::make_shared<std::string>();
  const auto decision = [name, event, id](Transaction& transaction) -> Result<void> {
    const auto there = transaction.get(pipeline_key(name));  // before anything is written
    if (!there) return std::unexpected(there.error());
    if (!*there) return fail(EventsErrc::unknown_pipeline, "no pipeline '" + name + "'");
    auto stream = transaction.stream(stream_name(name));
    if (!stream) return propagate(stream);
    auto starting = event;
    starting.stream = *stream;
    auto accepted = transaction.append(std::move(starting));
    if (!accepted) return propagate(accepted);
    const auto& its = *accepted->event;
    *id = events::to_text({its.stream, its.position, 0, its.check});
    // The key is known, and the run's record may have expired already: it is not run again.
    if (accepted->known) return {};
    return pipelines::start({name, *id}, its.body)(transaction);
  };
  const auto tell = [id, then = std::move(then)](Result<void> done) {
    if (!done) return then(propagate(done));
    then(*id);
  };
  engine_.decide(decision, tell, brings);
}

void Pipelines::runs(const std::string& name, const RunQuery& query, Then<json> then) {
  {
    const std::unique_lock lock(mutex_);
    const bool known = definitions_.contains(name);
    if (!known) return then(fail(EventsErrc::unknown_pipeline, "no pipeline '" + name + "'"));
  }
  list_runs(name, query.before, query, std::make_shared<json>(json::array()), std::move(then));
}

/// A page of all runs after another, until there are enough of those that are asked for.
void Pipelines::list_runs(const std::string& name, const std::string& before, const RunQuery& query,
                          std::shared_ptr<json> items, Then<json> then) {
  const auto limit = query.state.empty() ? query.limit + 1 : kPage;
  auto page = std::make_shared<RunPage>();
  const auto take = [this, name, before, query, items, page, then](Result<void> read) {
    if (!read) return then(propagate(read));
    auto last = before;
    for (std::size_t i = 0; i < page->items.size(); ++i) {
      if (query.state.empty() || page->items[i]["state"] == query.state) {
        if (items->size() == query.limit) return then(json{{"runs", std::move(*items)}, {"more", last}});
        items->push_back(std::move(page->items[i]));
      }
      last = page->orders[i];
    }
    if (page->last.empty()) return then(json{{"runs", std::move(*items)}});
    list_runs(name, page->last, query, items, then);
  };
  engine_.look(read_runs(name, before, limit, page), take);
}

void Pipelines::find_run(const std::string& name, const std::string& id, std::function<void(RunId)> found,
                         std::function<void(Error)> failed) {
  if (!name.empty()) return found({name, id});
  if (!events::parse_delivery_id(id))
    return failed(Error{
        EventsErrc::unknown_run, "'" + id.substr(0, 80) + "' is no run's id: 32 hexadecimal digits", {}});
  std::vector<std::string> names;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [known, stored] : definitions_) names.push_back(known);
  }
  find_in(std::move(names), id, std::move(found), std::move(failed));
}

/// They are few, and a run is looked for by people.
void Pipelines::find_in(std::vector<std::string> names, const std::string& id,
                        std::function<void(RunId)> found, std::function<void(Error)> failed) {
  if (names.empty())
    return failed(Error{EventsErrc::unknown_run, "no run '" + id + "', or not any more", {}});
  const RunId run{names.back(), id};
  names.pop_back();
  engine_.documents({.prefix = head_key(run), .limit = 1},
                    [this, names = std::move(names), run, found = std::move(found),
                     failed = std::move(failed)](Result<std::vector<Document>> documents) mutable {
                      if (!documents) return failed(std::move(documents.error()));
                      if (!documents->empty()) return found(run);
                      find_in(std::move(names), run.id, std::move(found), std::move(failed));
                    });
}

namespace {

template <class T>
std::function<void(Error)> failing(const Then<T>& then) {
  return [then](Error error) { then(std::unexpected(std::move(error))); };
}

/// For whoever has the id: where it stands, but no word of functions and what went wrong in them.
json for_everyone(json view) {
  view.erase("error");
  for (auto& step : view["steps"])
    for (const auto* inner : {"function", "delivery", "calls", "attempts", "error", "undoes"})
      step.erase(inner);
  return view;
}

}  // namespace

void Pipelines::show(const std::string& name, const std::string& id, Detail detail, Then<json> then) {
  const auto look = [this, detail, then](const RunId& run) {
    auto view = std::make_shared<json>();
    const auto tell = [this, view, detail, then](Result<void> done) {
      if (!done) return then(propagate(done));
      if (detail == Detail::everyone) return then(for_everyone(std::move(*view)));
      add_attempts(engine_, std::move(*view), then);
    };
    engine_.look(view_run(run, detail == Detail::data, view), tell);
  };
  find_run(name, id, look, failing(then));
}

void Pipelines::signal(const std::string& name, const std::string& id, const std::string& event,
                       std::string body, Then<void> then) {
  const auto send = [this, event, body = std::move(body), then](const RunId& run) {
    auto to_cancel = std::make_shared<std::vector<events::DeliveryId>>();
    engine_.decide(pipelines::signal(run, event, body, to_cancel), cancelling(engine_, to_cancel, then),
                   body.size() + 1'024);
  };
  find_run(name, id, send, failing(then));
}

void Pipelines::cancel(const std::string& name, const std::string& id, Then<void> then) {
  const auto end = [this, then](const RunId& run) {
    auto to_cancel = std::make_shared<std::vector<events::DeliveryId>>();
    auto to_give_up = std::make_shared<std::vector<events::DeliveryId>>();
    const auto tell = [this, to_give_up, then](Result<void> done) {
      if (done)
        for (const auto& delivery : *to_give_up)
          engine_.give_up(delivery, [](const Result<events::State>&) {});
      then(std::move(done));
    };
    engine_.decide(pipelines::cancel(run, to_cancel, to_give_up), cancelling(engine_, to_cancel, tell));
  };
  find_run(name, id, end, failing(then));
}

void Pipelines::retry(const std::string& name, const std::string& id, Then<void> then) {
  const auto again = [this, then](const RunId& run) { engine_.decide(pipelines::retry(run), then); };
  find_run(name, id, again, failing(then));
}

}  // namespace mayfly::pipelines
