#include "sandbox/cgroups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>

#include "base/child.h"
#include "base/memory_file.h"
#include "base/temp_folder.h"
#include "sandbox/limit_layers.h"

namespace mayfly::sandbox {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

/// A tree in memory, with the rules of version 2 about controllers and inner processes.
class FakeTree final : public CgroupFiles {
 public:
  explicit FakeTree(bool unified) : unified_(unified) {}
  mutable std::map<fs::path, std::string> files;
  mutable std::vector<std::string> written;  // "file=text", what was written to groups
  std::set<fs::path> in_use;
  std::set<fs::path> locked;

  void add_group(const fs::path& group, const std::string& controllers) const {
    files[group / "cgroup.procs"];
    if (!unified_) {
      files[group / "tasks"];
      return;
    }
    files[group / "cgroup.controllers"] = controllers;
    files[group / "cgroup.subtree_control"];
    for (const auto* file : {"cgroup.kill", "cgroup.freeze", "cpu.stat"}) files[group / file];
    if (controllers.contains("memory"))
      files[group / "memory.max"] = files[group / "memory.swap.max"] = "max";
    if (controllers.contains("cpu")) files[group / "cpu.max"] = files[group / "cpu.weight"] = "";
    if (controllers.contains("pids")) files[group / "pids.max"] = "max";
  }
  Result<void> make_group(const fs::path& group) const override {
    if (!files.contains(group / "cgroup.procs"))
      add_group(group, unified_ ? files[group.parent_path() / "cgroup.subtree_control"] : "");
    return {};
  }
  Result<void> remove_group(const fs::path& group) const override {
    if (in_use.contains(group) || !groups(group).empty()) return fail_errno("remove", EBUSY);
    std::erase_if(files, [&](const auto& file) { return file.first.parent_path() == group; });
    return {};
  }
  Result<std::string> read(const fs::path& file) const override {
    if (!files.contains(file)) return fail_errno("open", ENOENT);
    return files[file];
  }
  Result<void> write(const fs::path& file, std::string_view text) const override {
    if (!files.contains(file)) return fail_errno("open " + file.string(), ENOENT);
    if (file.filename() == "cgroup.subtree_control") {
      const auto own = files[file.parent_path() / "cgroup.procs"];
      if (!own.empty()) return fail_errno("write " + file.string(), EBUSY);
      files[file] += std::string(files[file].empty() ? "" : " ") + std::string(text.substr(1));
    } else if (file.filename() == "cgroup.procs") {
      for (auto& [name, list] : files)
        if (name.filename() == "cgroup.procs" && list == std::string(text) + "\n") list.clear();
      files[file] = std::string(text) + "\n";
    } else {
      files[file] = text;
    }
    written.push_back(file.string() + "=" + std::string(text));
    return {};
  }
  Result<Fd> open(const fs::path& file) const override {
    if (!files.contains(file)) return fail_errno("open", ENOENT);
    return sealed_file("join", "");
  }
  std::vector<std::string> groups(const fs::path& group) const override {
    std::set<std::string> names;
    for (const auto& [file, text] : files)
      if (file.parent_path().parent_path() == group) names.insert(file.parent_path().filename());
    return {names.begin(), names.end()};
  }
  Result<Fd> lock(const fs::path& group) const override {
    if (locked.contains(group)) return fail_errno("lock", EWOULDBLOCK);
    return sealed_file("lock", "");
  }

 private:
  bool unified_;
};

std::vector<std::string> words(const std::vector<MissingCgroupPart>& missing) {
  std::vector<std::string> all;
  for (const auto& one : missing) all.emplace_back(name_of(one.part));
  return all;
}

TEST(CgroupsOfVersionTwo, HandDownWhatAVersionNeeds) {
  FakeTree tree(true);
  tree.add_group("/own", "cpuset cpu io memory pids");
  const auto groups = Cgroups::open({{{"/own", true, {}}}, "/data", &tree, 7});
  EXPECT_TRUE(groups->missing().empty());
  EXPECT_EQ(groups->version(), "cgroup v2");
  auto made = groups->make("hello@3");
  ASSERT_TRUE(made) << made.error().message;
  Cgroup& group = **made;
  EXPECT_EQ(group.joins()->size(), 1U) << "one tree, one descriptor";
  tree.written.clear();
  ASSERT_TRUE(group.limit_memory(1000));
  ASSERT_TRUE(group.limit_cpu(0.5));
  ASSERT_TRUE(group.limit_processes(20));
  ASSERT_TRUE(group.freeze(true));
  group.kill_all();
  const auto folder = "/own/" + tree.groups("/own").front() + "/hello@3/";
  EXPECT_THAT(tree.written, ElementsAre(folder + "memory.swap.max=0", folder + "memory.max=1000",
                                        folder + "cpu.max=50000 100000", folder + "pids.max=20",
                                        folder + "cgroup.freeze=1", folder + "cgroup.kill=1"));
}

TEST(CgroupsOfVersionTwo, TheDaemonMovesOutOfTheWay) {
  FakeTree tree(true);
  tree.add_group("/own", "cpu memory pids");
  tree.files["/own/cgroup.procs"] = "7\n";
  EXPECT_TRUE(Cgroups::open({{{"/own", true, {}}}, "/data", &tree, 7})->missing().empty());
  EXPECT_EQ(tree.files["/own/mayfly-daemon/cgroup.procs"], "7\n");
}

TEST(CgroupsOfVersionTwo, OthersInTheDaemonsGroupAreLeftWhereTheyAre) {
  FakeTree tree(true);
  tree.add_group("/own", "cpu memory pids");
  tree.files["/own/cgroup.procs"] = "7\n8\n";
  const auto groups = Cgroups::open({{{"/own", true, {}}}, "/data", &tree, 7});
  EXPECT_THAT(words(groups->missing()), ElementsAre("memory", "cpu", "processes"));
  EXPECT_NE(groups->missing().front().why.find("Device or resource busy"), std::string::npos);
  EXPECT_TRUE(groups->has(CgroupPart::control)) << "killing and freezing need no controller";
  EXPECT_EQ(tree.files["/own/cgroup.procs"], "7\n8\n");
}

TEST(LimitLayers, OfAHostThatGivesSomeNameWhatIsMissingAndWhatHoldsEvenSo) {
  FakeTree tree(true);
  tree.add_group("/own", "memory pids");
  const auto layers = limit_layers(*Cgroups::open({{{"/own", true, {}}}, "/data", &tree, 7}));
  ASSERT_EQ(layers.size(), 3U);
  for (const auto& layer : layers) EXPECT_TRUE(is_limit_layer(layer.name));
  EXPECT_FALSE(is_limit_layer("seccomp"));
  EXPECT_EQ(lacks(layers, "memory-limit"), std::nullopt);
  EXPECT_EQ(layers.front().reason, "cgroup v2");
  EXPECT_EQ(lacks(layers, "process-limit"), std::nullopt);
  EXPECT_THAT(lacks(layers, "cpu-limit").value_or(""),
              testing::AllOf(testing::StartsWith("no tree has such a controller: `cpu` has no effect"),
                             testing::HasSubstr("docs/operations.md")));
  EXPECT_THAT(*lacks(layers, "moat"), testing::HasSubstr("there are memory-limit, "));
}

TEST(CgroupsOfVersionTwo, EventsAndUsageAreRead) {
  FakeTree tree(true);
  tree.add_group("/own", "cpu memory pids");
  const auto groups = Cgroups::open({{{"/own", true, {}}}, "/data", &tree, 7});
  const auto group = std::move(*groups->make("a@1"));
  const auto folder = fs::path("/own") / tree.groups("/own").front() / "a@1";
  EXPECT_EQ(group->memory_kills(), 0U) << "the file is not there";
  EXPECT_EQ(group->process_refusals(), 0U) << "the file is not there";
  tree.files[folder / "memory.events"] = "low 0\nhigh 0\nmax 3\noom 2\noom_kill 2\noom_group_kill 0\n";
  tree.files[folder / "memory.current"] = "4096\n";
  tree.files[folder / "cpu.stat"] = "usage_usec 12\nuser_usec 5\n";
  tree.files[folder / "pids.current"] = "3\n";
  tree.files[folder / "pids.events"] = "max 4\n";
  EXPECT_EQ(group->memory_kills(), 2U);
  EXPECT_EQ(group->process_refusals(), 4U);
  const auto usage = group->usage();
  EXPECT_EQ(usage.memory, 4096U);
  EXPECT_EQ(usage.memory_peak, std::nullopt);
  EXPECT_EQ(usage.cpu_ns, 12'000U);
  EXPECT_EQ(usage.processes, 3U);
}

TEST(CgroupsOfVersionTwo, AGroupStaysUntilItsLastProcessHasGone) {
  FakeTree tree(true);
  tree.add_group("/own", "cpu memory pids");
  const auto groups = Cgroups::open({{{"/own", true, {}}}, "/data", &tree, 7});
  const auto own = fs::path("/own") / tree.groups("/own").front();
  auto first = std::move(*groups->make("a@1"));
  auto second = std::move(*groups->make("a@1"));
  EXPECT_THAT(tree.groups(own), UnorderedElementsAre("a@1", "a@1.2"));
  tree.in_use.insert(own / "a@1");
  first.reset();
  second.reset();
  groups->collect();
  EXPECT_THAT(tree.groups(own), ElementsAre("a@1"));
  tree.in_use.clear();
  groups->close(std::chrono::milliseconds(0));
  EXPECT_TRUE(tree.groups("/own").empty());
}

TEST(Cgroups, WhatAKilledDaemonLeftIsClearedAwayAndWhatALivingOneHasIsNot) {
  FakeTree tree(true);
  tree.add_group("/own", "cpu memory pids");
  for (const auto* name : {"mayfly-00000000000a", "mayfly-00000000000b", "mayfly-other", "somebody"})
    tree.add_group(fs::path("/own") / name, "");
  tree.add_group("/own/mayfly-00000000000a/f@1", "");
  tree.locked.insert("/own/mayfly-00000000000b");
  const auto groups = Cgroups::open({{{"/own", true, {}}}, "/data", &tree, 7});
  EXPECT_THAT(tree.groups("/own"), testing::AllOf(testing::Not(testing::Contains("mayfly-00000000000a")),
                                                  testing::Contains("mayfly-00000000000b"),
                                                  testing::Contains("mayfly-other"), testing::SizeIs(4)));
  EXPECT_THAT(tree.written, testing::Contains("/own/mayfly-00000000000a/f@1/cgroup.kill=1"));
}

TEST(CgroupsOfVersionOne, LimitsAreRaisedFromTheOutsideAndLoweredFromTheInside) {
  FakeTree tree(false);
  tree.add_group("/memory", "");
  const auto groups = Cgroups::open({{{"/memory", false, {"memory"}}}, "/data", &tree, 7});
  EXPECT_THAT(words(groups->missing()), ElementsAre("cpu", "processes", "control", "cpu time"));
  const auto group = std::move(*groups->make("a@1"));
  const auto folder = "/memory/" + tree.groups("/memory").front() + "/a@1/";
  for (const auto* file : {"memory.limit_in_bytes", "memory.memsw.limit_in_bytes"}) tree.files[folder + file];
  tree.written.clear();
  ASSERT_TRUE(group->limit_memory(100));
  ASSERT_TRUE(group->limit_memory(200));
  EXPECT_THAT(tree.written,
              ElementsAre(folder + "memory.limit_in_bytes=100", folder + "memory.memsw.limit_in_bytes=100",
                          folder + "memory.memsw.limit_in_bytes=200", folder + "memory.limit_in_bytes=200"));
  tree.files.erase(folder + "memory.memsw.limit_in_bytes");  // no swap accounting
  EXPECT_TRUE(group->limit_memory(300));
}

TEST(CgroupsOfVersionOne, WhereTheLimitsAreAllElseIsThereToo) {
  FakeTree tree(true);
  for (const auto* group : {"/own", "/memory", "/freezer"}) tree.add_group(group, "");
  const CgroupHierarchy unified{"/own", true, {}};
  const CgroupHierarchy memory{"/memory", false, {"memory"}};
  const auto both = Cgroups::open({{unified, memory}, "/data", &tree, 7});
  EXPECT_EQ(both->version(), "cgroup v1 and v2") << "that has no other";
  const auto groups =
      Cgroups::open({{unified, memory, {"/freezer", false, {"freezer", "cpuacct"}}}, "/data", &tree, 7});
  EXPECT_EQ(groups->version(), "cgroup v1");
}

TEST(CgroupsOfVersionOne, CpuIsAQuotaAndShares) {
  FakeTree tree(false);
  tree.add_group("/cpu", "");
  const auto groups = Cgroups::open({{{"/cpu", false, {"cpu", "cpuacct"}}}, "/data", &tree, 7});
  const auto group = std::move(*groups->make("a@1"));
  const auto folder = "/cpu/" + tree.groups("/cpu").front() + "/a@1/";
  for (const auto* file : {"cpu.cfs_period_us", "cpu.cfs_quota_us", "cpu.shares"}) tree.files[folder + file];
  ASSERT_TRUE(group->limit_cpu(1.5));
  EXPECT_EQ(tree.files[folder + "cpu.cfs_quota_us"], "150000");
  ASSERT_TRUE(group->limit_cpu(0));
  EXPECT_EQ(tree.files[folder + "cpu.cfs_quota_us"], "-1");
  ASSERT_TRUE(group->weigh_cpu(100));
  EXPECT_EQ(tree.files[folder + "cpu.shares"], "1024");
}

TEST(Cgroups, HeldBackIsIdleOrWhereThereIsNoSuchThingLight) {
  for (const bool unified : {true, false}) {
    FakeTree tree(unified);
    tree.add_group("/own", "cpu");
    const auto groups = Cgroups::open({{{"/own", unified, {"cpu"}}}, "/data", &tree, 7});
    const auto group = std::move(*groups->make("a@1"));
    const auto folder = "/own/" + tree.groups("/own").front() + "/a@1/";
    const auto weight = folder + (unified ? "cpu.weight" : "cpu.shares");
    tree.files[weight];
    ASSERT_TRUE(group->hold_back_cpu(true));
    EXPECT_EQ(tree.files[weight], unified ? "1" : "10");
    ASSERT_TRUE(group->hold_back_cpu(false));
    EXPECT_EQ(tree.files[weight], unified ? "100" : "1024");
    tree.files[folder + "cpu.idle"] = "0";
    ASSERT_TRUE(group->hold_back_cpu(true));
    EXPECT_EQ(tree.files[folder + "cpu.idle"], "1");
    ASSERT_TRUE(group->hold_back_cpu(false));
    EXPECT_EQ(tree.files[folder + "cpu.idle"], "0");
    EXPECT_EQ(tree.files[weight], unified ? "100" : "1024") << "untouched where cpu.idle is there";
  }
}

TEST(Cgroups, WithoutAHostNothingIsLimitedAndNothingFails) {
  const auto groups = Cgroups::open({{}, "/data"});
  EXPECT_EQ(groups->missing().size(), kCgroupParts);
  EXPECT_EQ(groups->version(), "none");
  auto made = groups->make("a@1");
  ASSERT_TRUE(made);
  EXPECT_TRUE((*made)->joins()->empty());
  EXPECT_TRUE((*made)->limit_memory(1));
  EXPECT_EQ((*made)->memory_kills(), 0U);
}

/// The real tree of this host, as far as it may be used here.
TEST(CgroupsOfTheHost, HoldAndEndProcesses) {
  const TempFolder data;
  const auto groups = Cgroups::open({find_own_cgroups(), data.path().string(), &host_cgroup_files(), 0});
  if (!groups->has(CgroupPart::control)) GTEST_SKIP() << "no control groups here";
  auto group = std::move(*groups->make("a@1"));
  auto joins = group->joins();
  ASSERT_TRUE(joins) << joins.error().message;
  ChildOptions options;
  std::string script;
  for (std::size_t i = 0; i < joins->size(); ++i) {
    const int number = 3 + static_cast<int>(i);
    options.descriptors.push_back({(*joins)[i].get(), number});
    script += "echo 0 >&" + std::to_string(number) + "; ";
  }
  options.argv = {"sh", "-c", script + "sleep 60 & sleep 60"};
  auto child = Child::start(options);
  ASSERT_TRUE(child) << child.error().message;
  const auto usage = [&] { return group->usage().processes.value_or(3); };
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (usage() < 3 && std::chrono::steady_clock::now() < until) ::usleep(1'000);
  EXPECT_EQ(usage(), 3U);
  group.reset();
  const auto ended = child->wait(until);
  ASSERT_TRUE(ended) << "what is in the group was not killed";
  EXPECT_EQ(ended->value, SIGKILL);
  groups->close(std::chrono::seconds(5));
  for (const auto& hierarchy : find_own_cgroups())
    for (const auto& name : host_cgroup_files().groups(hierarchy.own))
      EXPECT_FALSE(name.contains(groups->name())) << hierarchy.own;
}

}  // namespace
}  // namespace mayfly::sandbox
