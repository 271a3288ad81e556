// The store and the queue around decisions, in memory: for tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "events/transaction.h"
#include "pipelines/decisions.h"
#include "pipelines/run.h"
#include "pipelines/step_event.h"
#include "pipelines/view.h"

namespace mayfly::pipelines {

/// Documents and events in maps, as the store's table has them: what is written does not expire any more.
class FakeTransaction final : public events::Transaction {
 public:
  struct Kept {
    std::string value;
    std::optional<WallTime> expires;
    bool operator==(const Kept&) const = default;
  };

  Result<std::optional<std::string>> get(const std::string& key) override {
    const auto found = documents.find(key);
    return found == documents.end() ? std::nullopt : std::optional(found->second.value);
  }
  Result<std::vector<events::Document>> list(const events::DocumentQuery& query) override {
    std::vector<events::Document> found;
    for (const auto& [key, kept] : documents)
      if (key.starts_with(query.prefix) && (query.before.empty() || key < query.before))
        found.push_back({key, kept.value});
    if (query.newest_first) std::ranges::reverse(found);
    if (found.size() > query.limit) found.resize(query.limit);
    return found;
  }
  Result<void> put(const std::string& key, const std::string& value) override {
    ++writes;
    documents[key] = {value, std::nullopt};
    return {};
  }
  Result<void> remove(const std::string& key) override {
    ++writes;
    documents.erase(key);
    return {};
  }
  Result<void> expire(const std::string& prefix, WallTime when) override {
    ++writes;
    for (auto& [key, kept] : documents)
      if (key.starts_with(prefix))
        kept.expires = when == WallTime::max() ? std::nullopt : std::optional(when);
    return {};
  }
  Result<events::StreamId> stream(const std::string& name) override {
    const auto known = streams.try_emplace(name, static_cast<events::StreamId>(streams.size() + 1));
    return known.first->second;
  }
  Result<events::Accepted> append(events::NewEvent event) override {
    ++writes;
    auto accepted = std::make_shared<events::Event>();
    static_cast<events::NewEvent&>(*accepted) = std::move(event);
    accepted->position = events.size() + 1;
    accepted->check = 0xabc000 + accepted->position;
    accepted->accepted = time;
    events.push_back(accepted);
    return events::Accepted{accepted};
  }
  WallTime now() const override { return time; }

  void remove_expired() {
    std::erase_if(documents,
                  [&](const auto& one) { return one.second.expires && *one.second.expires <= time; });
  }

  std::map<std::string, Kept> documents;
  std::map<std::string, events::StreamId> streams;
  std::vector<events::EventPtr> events;
  std::size_t writes = 0;
  WallTime time = WallTime{} + std::chrono::hours(24);
};

/// What a queue would do: it has events that are open, and tells how they ended.
class World {
 public:
  static constexpr const char* kRun = "00000000000000000000000000000001";

  /// Runs a decision as the store does: once for nothing, as if the disk had failed, and once for good.
  Result<void> decide(const events::Decision& decision) {
    const auto before = tx;
    const auto failed = decision(tx);
    const auto after = std::exchange(tx, before);
    auto done = decision(tx);
    EXPECT_EQ(failed.has_value(), done.has_value());
    EXPECT_EQ(after.documents, tx.documents) << "a decision depends on more than the transaction";
    const bool wrote = tx.writes != before.writes;
    EXPECT_FALSE(!done && wrote) << "refused after it had written";
    for (auto i = before.events.size(); i < tx.events.size(); ++i) open.push_back(tx.events[i]);
    return done;
  }
  void must(const events::Decision& decision) {
    const auto done = decide(decision);
    EXPECT_TRUE(done) << done.error().message;
  }

  /// `steps` is the JSON list of them.
  void deploy(const std::string& steps, const std::string& more = "") {
    auto definition = parse_definition("p", R"({"steps":)" + steps + more + "}");
    ASSERT_TRUE(definition) << definition.error().message;
    must(pipelines::deploy(*definition));
  }
  void start(const std::string& input = "null") { must(pipelines::start(run, input)); }
  /// Both.
  void run_of(const std::string& steps, const std::string& input = "null") {
    deploy(steps);
    start(input);
  }

  static events::Outcome outcome(events::State state) {
    events::Outcome end;
    end.state = state;
    return end;
  }
  static events::Outcome answered(std::string body) {
    auto end = outcome(events::State::succeeded);
    end.answer = events::Answer{200, {}, std::move(body)};
    return end;
  }
  static events::Outcome died(std::string type = "status", std::string message = "answered with status 500") {
    auto end = outcome(events::State::dead);
    end.attempt = events::Attempt{.number = 5, .type = std::move(type), .message = std::move(message)};
    return end;
  }

  void end(const events::EventPtr& event, const events::Outcome& how) {
    std::erase(open, event);
    must(step_ended(*event, how));
  }
  /// The open calls of a function, the earliest first.
  std::vector<events::EventPtr> calls(std::string_view function) const {
    std::vector<events::EventPtr> found;
    std::ranges::copy_if(open, std::back_inserter(found),
                         [&](const auto& event) { return event->target == function; });
    return found;
  }
  /// The earliest open call of a function ends.
  void answer(std::string_view function, const std::string& body) { end_first(function, answered(body)); }
  void die(std::string_view function) { end_first(function, died()); }
  void end_first(std::string_view function, const events::Outcome& how) {
    const auto found = calls(function);
    ASSERT_FALSE(found.empty()) << "no call of " << function << " in " << view().dump(1);
    end(found.front(), how);
  }
  /// The time of the earliest open timer comes.
  void fire() {
    const auto timers = calls("");
    ASSERT_FALSE(timers.empty());
    const auto first =
        std::ranges::min_element(timers, {}, [](const auto& event) { return *event->not_before; });
    tx.time = std::max(tx.time, *(*first)->not_before);
    const auto& event = *first;
    std::erase(open, event);
    must(timer(*event));
  }

  /// What the earliest open call of a function is given.
  nlohmann::json input(std::string_view function) const {
    const auto found = calls(function);
    return found.empty() ? nlohmann::json("(no call)") : nlohmann::json::parse(found.front()->body);
  }
  /// The targets of all open events, sorted; "": a timer.
  std::multiset<std::string> targets() const {
    std::multiset<std::string> all;
    for (const auto& event : open) all.insert(event->target);
    return all;
  }
  Head head() { return head_from_json(tx.get(head_key(run))->value_or("")).value_or(Head{}); }
  nlohmann::json view(bool values = false) {
    auto view = std::make_shared<nlohmann::json>();
    const auto read = view_run(run, values, view)(tx);
    return read ? *view : nlohmann::json(read.error().message);
  }
  std::string state() { return std::string(name_of(head().state)); }
  /// "step:state" of each entry of the trace, an undo with '-' in front.
  std::vector<std::string> trace() {
    std::vector<std::string> all;
    for (const auto& entry : head().trace)
      all.push_back((entry.undo_of ? "-" : "") + entry.step + ":" + std::string(name_of(entry.state)));
    return all;
  }
  std::string error_type() { return head().error ? head().error->failure.type : ""; }

  FakeTransaction tx;
  std::vector<events::EventPtr> open;
  RunId run{"p", kRun};
};

}  // namespace mayfly::pipelines
