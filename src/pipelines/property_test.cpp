// Whatever the definition is and whatever happens in which order: what must be true of every run.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "pipelines/execution.h"
#include "pipelines/world_test_support.h"

namespace mayfly::pipelines {
namespace {

using nlohmann::json;

class Chance {
 public:
  explicit Chance(unsigned seed) : random_(seed) {}
  /// 0 … count - 1
  std::size_t below(std::size_t count) {
    return std::uniform_int_distribution<std::size_t>(0, count - 1)(random_);
  }
  bool one_in(std::size_t count) { return below(count) == 0; }
  std::string name(std::size_t count) { return "s" + std::to_string(below(count)); }

 private:
  std::mt19937 random_;
};

/// Steps that lead forward but for branches and errors: with those a run may go round for as long as chance
/// has it.
json random_steps(Chance& chance) {
  const auto count = 1 + chance.below(6);
  json steps = json::array();
  for (std::size_t i = 0; i < count; ++i) {
    json step{{"name", "s" + std::to_string(i)}};
    const auto kind = chance.below(6);
    if (kind == 0) {
      step["wait"] = "1h";
    } else if (kind == 1) {
      step["await"] = chance.one_in(2) ? "e" : "other";
    } else if (kind == 2) {
      step["branch"] = chance.one_in(2) ? "$.previous" : "$.previous[0]";
      step["cases"] = {{"1", chance.name(count)}, {"2", "end"}};
      if (!chance.one_in(4)) step["default"] = i + 1 < count ? "s" + std::to_string(i + 1) : "end";
    } else {
      step["function"] = "f";
      if (chance.one_in(2)) step["undo"] = "u";
      if (kind == 3) step["each"] = chance.one_in(8) ? "$.input.none" : "$.input";
      if (kind == 3) step["concurrency"] = 1 + chance.below(3);
    }
    if (kind != 0 && chance.one_in(4)) step["on_error"] = chance.name(count);
    if (kind != 2 && chance.one_in(6)) step["next"] = "end";
    steps.push_back(std::move(step));
  }
  return steps;
}

/// One run of a random definition, with what is seen of it from outside.
class RandomRun {
 public:
  explicit RandomRun(unsigned seed) : chance_(seed) {
    world_.run_of(random_steps(chance_).dump(), json(std::vector<int>(chance_.below(6), 1)).dump());
    look();
  }

  void go() {
    for (int i = 0; i < 20'000 && !world_.open.empty(); ++i) {
      happen();
      look();
      if (world_.open.empty() && chance_.one_in(3)) retry_it();
    }
    EXPECT_TRUE(has_ended(world_.head().state)) << world_.view().dump(1);
    check_undone();
    check_bounds();
  }

 private:
  void happen() {
    const auto ended_before = has_ended(world_.head().state);
    const auto documents = ended_before ? world_.tx.documents : decltype(world_.tx.documents){};
    const auto appended = world_.tx.events.size();
    if (chance_.one_in(12)) {
      (void)world_.decide(
          signal(world_.run, chance_.one_in(2) ? "e" : "other", std::to_string(chance_.below(3))));
    } else if (chance_.one_in(60)) {
      (void)world_.decide(cancel(world_.run, nullptr));
    } else if (!told_.empty() && chance_.one_in(4)) {
      world_.must(step_ended(*told_[chance_.below(told_.size())], random_end()));
    } else {
      const auto event = world_.open[chance_.below(world_.open.size())];
      told_.push_back(event);
      world_.end(event, random_end());
    }
    if (!ended_before) return;
    EXPECT_EQ(world_.tx.documents, documents) << "written after the end";
    EXPECT_EQ(world_.tx.events.size(), appended) << "appended after the end";
  }

  events::Outcome random_end() {
    if (chance_.one_in(6)) return World::died();
    if (chance_.one_in(20)) return World::outcome(events::State::cancelled);
    if (chance_.one_in(20)) return World::answered("\xff");
    return World::answered(chance_.one_in(3) ? "[1]" : std::to_string(chance_.below(4)));
  }

  void retry_it() {
    const auto before = world_.head();
    const auto done = world_.decide(retry(world_.run));
    const bool undone =
        std::ranges::any_of(before.trace, [](const Entry& entry) { return entry.undo_of.has_value(); });
    EXPECT_EQ(done.has_value(), before.state == RunState::failed && !undone);
    look();
  }

  /// No entry and no undo runs while another one does, none is called twice, and no more calls are open than
  /// may be.
  void look() {
    const auto head = world_.head();
    std::size_t open = 0;
    for (std::size_t i = 0; i < head.trace.size(); ++i) {
      if (!is_open(head.trace[i].state)) continue;
      ++open;
      EXPECT_EQ(i + 1, head.trace.size()) << "not the last one";
    }
    EXPECT_EQ(open, has_ended(head.state) ? 0U : 1U);
    for (; seen_ < world_.tx.events.size(); ++seen_) {
      const auto ref = step_ref(*world_.tx.events[seen_]);
      ASSERT_TRUE(ref);
      EXPECT_TRUE(called_.insert({ref->entry, ref->index.value_or(kMaxItems)}).second) << "called twice";
    }
    check_concurrency(head);
  }

  void check_concurrency(const Head& head) {
    if (head.trace.empty() || !head.trace.back().items || !is_open(head.trace.back().state)) return;
    std::size_t of_last = 0;
    for (const auto& event : world_.open)
      if (step_ref(*event)->entry == head.trace.size() - 1) ++of_last;
    EXPECT_EQ(of_last, head.trace.back().open);
    const auto stored = stored_definition("p", *world_.tx.get(definition_key(world_.run)).value());
    const auto* step = stored->definition.find(head.trace.back().step);
    EXPECT_LE(of_last, static_cast<std::size_t>(step->delivery.concurrency));
  }

  /// Each effect exactly once, the latest first.
  void check_undone() {
    const auto head = world_.head();
    const auto stored = stored_definition("p", *world_.tx.get(definition_key(world_.run)).value());
    std::vector<std::size_t> expected;
    std::vector<std::size_t> undone;
    for (std::size_t i = 0; i < head.trace.size(); ++i) {
      const auto& entry = head.trace[i];
      if (entry.undo_of) undone.push_back(*entry.undo_of);
      const bool effect =
          entry.state == EntryState::succeeded || (entry.items ? done_before_undo(i) : entry.done > 0);
      if (!entry.undo_of && effect && !stored->definition.find(entry.step)->undo.empty())
        expected.insert(expected.begin(), i);
    }
    if (head.state == RunState::succeeded) expected.clear();
    EXPECT_EQ(undone, expected) << world_.view().dump(1);
  }
  /// Whether the undo of a fan-out could know that something was done.
  bool done_before_undo(std::size_t entry) {
    const auto head = world_.head();
    for (const auto& other : head.trace)
      if (other.undo_of == entry) return true;
    return head.trace[entry].done > 0 && head.trace[entry].state == EntryState::failed;
  }

  void check_bounds() {
    EXPECT_LE(world_.head().trace.size(), 2 * kMaxExecuted);
    for (const auto& [key, kept] : world_.tx.documents)
      EXPECT_TRUE(kept.expires || key == "pipeline/p") << key << " is kept for ever";
    world_.tx.time += std::chrono::hours(24) * 365;
    world_.tx.remove_expired();
    EXPECT_EQ(world_.tx.documents.size(), 1U);
  }

  Chance chance_;
  World world_;
  std::vector<events::EventPtr> told_;
  std::set<std::pair<std::size_t, std::size_t>> called_;
  std::size_t seen_ = 0;
};

TEST(Property, EveryRunEndsAndWhatItDidIsUndoneOnceInReverseOrder) {
  for (unsigned seed = 1; seed <= 150 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomRun(seed).go();
  }
}

}  // namespace
}  // namespace mayfly::pipelines
