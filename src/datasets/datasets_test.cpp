#include "datasets/datasets.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <fstream>

#include "base/memory_file.h"
#include "base/temp_folder.h"

namespace mayfly::datasets {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

struct DatasetsTest : testing::Test {
  DatasetsTest() {
    fs::create_directories(data());
    fs::create_directories(logs());
    open();
  }
  [[nodiscard]] fs::path data() const { return folder.path() / "data"; }
  [[nodiscard]] fs::path logs() const { return folder.path() / "logs"; }
  void open(std::uint64_t budget = 1U << 20U) {
    datasets.reset();
    datasets = Datasets::open({data(), budget, &clock}).value();
    datasets->load_all();
  }
  fs::path write(const std::string& name, const std::string& text) const {
    std::ofstream(logs() / name) << text;
    return logs() / name;
  }
  Result<Dataset> make(const std::string& name, Definition definition, const fs::path& upload = {}) {
    auto order = datasets->begin(name, std::move(definition), upload);
    if (!order) return propagate(order);
    return finish(*order);
  }
  Result<Dataset> again(const std::string& name) {
    auto order = datasets->begin_again(name);
    if (!order) return propagate(order);
    return finish(*order);
  }
  Result<Dataset> finish(const Order& order) {
    auto finished = datasets->finish(order, datasets->load(order));
    datasets->settle(order.name);
    return finished;
  }
  [[nodiscard]] Definition all() const { return {.from = {(logs() / "*.log").string()}}; }
  [[nodiscard]] std::string content(const std::string& name) const {
    const auto current = datasets->current(name);
    return current ? read_all((*current)->file.get()).value() : current.error().message;
  }

  TempFolder folder;
  ManualClock clock;
  std::unique_ptr<Datasets> datasets;
};

TEST_F(DatasetsTest, FilesLieOneBehindTheOther) {
  write("b.log", "two\n");
  write("a.log", "one\n");
  write("c.txt", "not this one");
  fs::create_directories(logs() / "folder.log");
  const auto made = make("logs", all());
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_FALSE(datasets->next_look()) << "nobody is woken for it";
  EXPECT_EQ(content("logs"), "one\ntwo\n");
  ASSERT_EQ(made->current->parts.size(), 2U);
  EXPECT_EQ(made->current->parts[1].name, (logs() / "b.log").string());
  EXPECT_EQ(made->current->parts[1].offset, 4U);
  EXPECT_EQ(made->current->parts[1].size, 4U);
  EXPECT_EQ(datasets->used(), 8U);
}

TEST_F(DatasetsTest, NobodyCanChangeIt) {
  write("a.log", "one\n");
  const auto made = make("logs", all());
  const auto path = "/proc/self/fd/" + std::to_string(made->current->file.get());
  EXPECT_EQ(::open(path.c_str(), O_RDWR | O_TRUNC), -1);
  const Fd writer(::open(path.c_str(), O_RDWR));
  EXPECT_EQ(::write(writer.get(), "x", 1), -1);
  EXPECT_EQ(::ftruncate(writer.get(), 0), -1) << "who has mapped it would get SIGBUS";
}

TEST_F(DatasetsTest, AGenerationFollowsTheOtherAndTheOldOneStays) {
  write("a.log", "one\n");
  ASSERT_TRUE(make("logs", all()));
  const auto old = datasets->current("logs").value();
  write("a.log", "changed\n");
  EXPECT_EQ(content("logs"), "one\n");
  const auto next = again("logs");
  ASSERT_TRUE(next);
  EXPECT_EQ(next->current->number, 2U);
  EXPECT_EQ(content("logs"), "changed\n");
  EXPECT_EQ(read_all(old->file.get()).value(), "one\n");
}

TEST_F(DatasetsTest, WhereTheSourceIsGoneTheOldOneServesOn) {
  write("a.log", "one\n");
  ASSERT_TRUE(make("logs", all()));
  fs::remove(logs() / "a.log");
  const auto failed = again("logs");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, DatasetsErrc::source_unreadable);
  EXPECT_EQ(content("logs"), "one\n");
  EXPECT_THAT(datasets->get("logs")->failure->message, HasSubstr("there is no such file"));
  write("a.log", "back\n");
  ASSERT_TRUE(again("logs"));
  EXPECT_FALSE(datasets->get("logs")->failure);
  EXPECT_EQ(content("logs"), "back\n");
}

TEST_F(DatasetsTest, WhatFailsAtFirstIsNotMade) {
  const auto failed = make("logs", all());
  ASSERT_FALSE(failed);
  EXPECT_THAT(datasets->list(), IsEmpty());
  write("a.log", "one\n");
  EXPECT_TRUE(make("logs", all())) << "the name is free";
}

TEST_F(DatasetsTest, AllTogetherStayWithinTheirBudgetWhileTheyAreLoadedAnew) {
  open(10);
  write("a.log", "123456\n");
  ASSERT_TRUE(make("logs", all()));
  const auto failed = again("logs");
  ASSERT_FALSE(failed) << "both generations would be there for a while";
  EXPECT_EQ(failed.error().code, DatasetsErrc::out_of_memory);
  EXPECT_EQ(failed.error().detail("wanted"), "7B");
  EXPECT_EQ(failed.error().detail("limit"), "3B");
  EXPECT_EQ(content("logs"), "123456\n");
}

TEST_F(DatasetsTest, WhatIsLoadedAndNotInUseYetCountsToo) {
  open(10);
  write("a.log", "123456\n");
  const auto first = datasets->begin("first", all());
  const auto second = datasets->begin("second", all());
  auto loaded = datasets->load(*first);
  ASSERT_TRUE(loaded);
  auto refused = datasets->load(*second);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail("limit"), "3B");
  ASSERT_TRUE(datasets->finish(*first, std::move(loaded)));
  EXPECT_FALSE(datasets->finish(*second, std::move(refused)));
  EXPECT_EQ(datasets->used(), 7U);
}

TEST_F(DatasetsTest, OneLoadAtATime) {
  write("a.log", "one\n");
  auto first = datasets->begin("logs", all());
  ASSERT_TRUE(first);
  EXPECT_EQ(datasets->begin("logs", all()).error().code, DatasetsErrc::busy);
  ASSERT_TRUE(datasets->finish(*first, datasets->load(*first)));
  EXPECT_EQ(datasets->begin_again("logs").error().code, DatasetsErrc::busy) << "functions do not have it yet";
  datasets->settle("logs");
  auto second = datasets->begin_again("logs");
  EXPECT_EQ(datasets->begin_again("logs").error().code, DatasetsErrc::busy);
  EXPECT_EQ(datasets->remove("logs").error().code, DatasetsErrc::busy);
  ASSERT_TRUE(finish(*second));
  EXPECT_TRUE(datasets->remove("logs"));
  EXPECT_EQ(datasets->current("logs").error().code, DatasetsErrc::unknown_dataset);
}

TEST_F(DatasetsTest, ItIsThereAgainAfterARestart) {
  write("a.log", "one\n");
  ASSERT_TRUE(
      make("logs", {.from = {(logs() / "*.log").string()}, .every = milliseconds(60'000), .watch = true}));
  const auto upload = write("upload", "uploaded");
  ASSERT_TRUE(make("cities", {}, upload));
  EXPECT_FALSE(fs::exists(upload)) << "it was taken";
  open();
  EXPECT_EQ(content("logs"), "one\n");
  EXPECT_EQ(content("cities"), "uploaded");
  EXPECT_TRUE(datasets->next_look());
  EXPECT_EQ(datasets->get("cities")->current->parts[0].name, "cities");
  EXPECT_EQ(datasets->get("logs")->definition.every, milliseconds(60'000));
  EXPECT_TRUE(datasets->get("logs")->definition.watch);
  fs::remove(logs() / "a.log");
  open();
  EXPECT_EQ(datasets->current("logs").error().code, DatasetsErrc::not_loaded);
  EXPECT_THAT(content("logs"), HasSubstr("there is no such file"));
  EXPECT_EQ(content("cities"), "uploaded");
}

TEST_F(DatasetsTest, AnUploadTakesThePlaceOfFilesAndTheOtherWayRound) {
  write("a.log", "one\n");
  ASSERT_TRUE(make("logs", all()));
  ASSERT_TRUE(make("logs", {}, write("upload", "uploaded")));
  open();
  EXPECT_EQ(content("logs"), "uploaded");
  ASSERT_TRUE(make("logs", all()));
  EXPECT_TRUE(fs::is_empty(data() / "datasets")) << "nothing is left of the upload";
}

TEST_F(DatasetsTest, IsLookedAtAgainWhenItsTimeHasComeAndLoadedWhenItHasChanged) {
  write("a.log", "one\n");
  ASSERT_TRUE(make("logs", {.from = {(logs() / "*.log").string()}, .watch = true}));
  EXPECT_THAT(datasets->due(clock.now()), IsEmpty());
  EXPECT_EQ(datasets->next_look(), clock.now() + std::chrono::seconds(1));
  clock.advance(std::chrono::seconds(2));
  auto orders = datasets->due(clock.now());
  ASSERT_EQ(orders.size(), 1U);
  auto loaded = datasets->load(orders[0]);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(*loaded, nullptr) << "nothing has changed";
  EXPECT_EQ(datasets->finish(orders[0], std::move(loaded))->current->number, 1U);
  write("b.log", "two\n");
  clock.advance(std::chrono::seconds(2));
  orders = datasets->due(clock.now());
  ASSERT_EQ(orders.size(), 1U);
  EXPECT_EQ(finish(orders[0])->current->number, 2U);
  EXPECT_EQ(content("logs"), "one\ntwo\n");
}

TEST_F(DatasetsTest, NothingOfTheDataFolderIsShown) {
  std::ofstream(data() / "secret-key") << "secret";
  const auto direct = make("keys", {.from = {(data() / "secret-key").string()}});
  ASSERT_FALSE(direct);
  EXPECT_EQ(direct.error().code, DatasetsErrc::bad_source);
  EXPECT_FALSE(make("keys", {.from = {(logs() / "../data/*").string()}}));
  fs::create_symlink(data() / "secret-key", logs() / "x.log");
  EXPECT_FALSE(make("keys", {.from = {(logs() / "x.log").string()}})) << "not by a link, either";
}

TEST_F(DatasetsTest, ALinkIsFollowedOnlyWhereItIsNamed) {
  std::ofstream(folder.path() / "elsewhere") << "elsewhere";
  fs::create_symlink(folder.path() / "elsewhere", logs() / "link.log");
  write("a.log", "one\n");
  ASSERT_TRUE(make("logs", all()));
  EXPECT_EQ(content("logs"), "one\n");
  ASSERT_TRUE(make("linked", {.from = {(logs() / "link.log").string()}}));
  EXPECT_EQ(content("linked"), "elsewhere");
}

TEST_F(DatasetsTest, WhatIsNoFileIsNotWaitedFor) {
  ASSERT_EQ(::mkfifo((logs() / "pipe.log").c_str(), 0600), 0);
  EXPECT_THAT(make("pipe", {.from = {(logs() / "pipe.log").string()}}).error().message,
              HasSubstr("it is no regular file"));
  write("a.log", "one\n");
  ASSERT_TRUE(make("logs", all()));
  EXPECT_EQ(content("logs"), "one\n");
}

TEST_F(DatasetsTest, NamesAndSourcesAreChecked) {
  for (const auto* name : {"", "A", "-", "a/b", "_x"})
    EXPECT_EQ(make(name, all()).error().code, DatasetsErrc::bad_name) << name;
  for (const auto* path : {"", "relative", "./x"})
    EXPECT_EQ(make("x", {.from = {path}}).error().code, DatasetsErrc::bad_source) << path;
  EXPECT_EQ(make("x", {}).error().code, DatasetsErrc::bad_source) << "from nowhere";
  EXPECT_EQ(make("x", {.from = {"/x"}, .every = milliseconds(10)}).error().code, DatasetsErrc::bad_source);
  write("a.log", "one\n");
  ASSERT_TRUE(make("access-log", all()));
  EXPECT_THAT(datasets->get("acces-log").error().message, HasSubstr("did you mean 'access-log'?"));
}

TEST_F(DatasetsTest, SizesThatAddUpToMoreThanANumberHoldsAreRefused) {
  std::vector<SourceFile> files;
  for (int i = 0; i < 3; ++i) files.push_back({"f", Fd(), UINT64_MAX / 2, 0});
  const std::atomic<bool> stop = false;
  const auto built = build("x", std::move(files), 1U << 20U, stop);
  ASSERT_FALSE(built);
  EXPECT_EQ(built.error().code, DatasetsErrc::out_of_memory);
}

TEST_F(DatasetsTest, WhatIsBeingLoadedIsGivenUpWhenTheDaemonEnds) {
  write("a.log", "one\n");
  datasets->stop();
  EXPECT_THAT(make("logs", all()).error().message, HasSubstr("shutting down"));
}

TEST_F(DatasetsTest, WhatIsEmptyIsADatasetToo) {
  write("a.log", "");
  const auto made = make("logs", all());
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->current->size, 0U);
}

}  // namespace
}  // namespace mayfly::datasets
