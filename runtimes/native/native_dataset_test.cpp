// Datasets as native functions see them.
#include <fcntl.h>

#include "base/memory_file.h"
#include "native_test_support.h"

namespace mayfly::native {
namespace {

/// A template whose payload lists datasets, with their files as the daemon would send them.
class NativeDatasets : public NativeRuntime {
 protected:
  void add(const std::string& name, const std::string& content, json files = json::array()) {
    auto file = sealed_file(name.c_str(), content);
    ASSERT_TRUE(file);
    datasets_.push_back({{"name", name},
                         {"fd", wire::kFirstFile + static_cast<int>(files_.size())},
                         {"size", content.size()},
                         {"files", std::move(files)}});
    files_.push_back(std::move(*file));
  }
  json load_with_datasets(ControlType expected = ControlType::ready) {
    auto described = payload("template");
    described["datasets"] = datasets_;
    template_ = fork(runtime_, described, SOCK_SEQPACKET, template_log_, files_);
    const auto report = message(template_);
    EXPECT_EQ(report.type, expected) << report.payload;
    return json::parse(report.payload, nullptr, false);
  }

  json datasets_ = json::array();
  std::vector<Fd> files_;
};

TEST_F(NativeDatasets, AreThereForInitAndInEachInstance) {
  compile(R"(#include <mayfly.h>
    #include <algorithm>
    static std::span<const std::byte> at_init;
    static long lines;
    void init() {
      at_init = mayfly::dataset("access-log");
      lines = std::ranges::count(at_init, std::byte{'\n'});
    }
    MAYFLY_INIT(init)
    mayfly::Response handle(const mayfly::Request&) {
      const auto log = mayfly::dataset("access-log");
      std::string text = std::to_string(lines) + (log.data() == at_init.data() ? " same" : " other");
      for (const auto& file : mayfly::dataset_files("access-log")) {
        const auto part = log.subspan(file.offset, file.size);
        text += " " + std::string(file.name) + "=" + std::string(reinterpret_cast<const char*>(part.data()), part.size());
      }
      text += " empty " + std::to_string(mayfly::dataset("empty").size());
      text += " unlisted " + std::to_string(mayfly::dataset("other").size()) + std::to_string(mayfly::dataset_files("other").size());
      return text;
    }
    MAYFLY_HANDLER(handle))");
  add("access-log", "one\ntwo\n",
      {{{"name", "a.log"}, {"offset", 0}, {"size", 4}}, {{"name", "b.log"}, {"offset", 4}, {"size", 4}}});
  add("empty", "");
  const auto report = load_with_datasets();
  EXPECT_TRUE(report["unsafe"].empty()) << report;
  std::vector<Instance> instances;  // all stay: the end of one would come between the words on the next
  for (int i = 0; i < 2; ++i) {
    auto& instance = instances.emplace_back(start());
    instance.invoke();
    EXPECT_EQ(instance.finish(), 200U);
    EXPECT_EQ(instance.answer, "2 same a.log=one\n b.log=two\n empty 0 unlisted 00");
  }
}

TEST_F(NativeDatasets, InC) {
  compile(R"(#include <mayfly.h>
    static void handle(mayfly_request* request, mayfly_response* response) {
      (void)request;
      const mayfly_text data = mayfly_dataset("data"), empty = mayfly_dataset("empty"), none = mayfly_dataset("none");
      mayfly_append(response, data.data, data.size);
      mayfly_dataset_file file;
      for (size_t i = 0; mayfly_dataset_file_at("data", i, &file); ++i) {
        char text[100];
        snprintf(text, sizeof text, " %s %d+%d", file.name.data, (int)file.offset, (int)file.size);
        mayfly_print(response, text);
      }
      if (empty.data != NULL && empty.size == 0) mayfly_print(response, " empty");
      if (none.data == NULL && !mayfly_dataset_file_at("none", 0, &file)) mayfly_print(response, " none");
    }
    MAYFLY_HANDLER(handle))",
          "f.c");
  add("data", "content", {{{"name", "a"}, {"offset", 0}, {"size", 7}}});
  add("empty", "");
  load_with_datasets();
  auto instance = start();
  instance.invoke();
  EXPECT_EQ(instance.finish(), 200U);
  EXPECT_EQ(instance.answer, "content a 0+7 empty none");
}

TEST_F(NativeDatasets, AWriteIsACrashOfItsInstance) {
  compile(R"(#include <mayfly.h>
    mayfly::Response handle(const mayfly::Request& r) {
      if (r.path() == "/write") *const_cast<std::byte*>(mayfly::dataset("data").data()) = std::byte{0};
      return std::string(reinterpret_cast<const char*>(mayfly::dataset("data").data()), 4);
    }
    MAYFLY_HANDLER(handle))");
  add("data", "data");
  load_with_datasets();
  auto instance = start();
  instance.invoke("/write");
  EXPECT_EQ(instance.finish(), 0U);
  EXPECT_EQ(WTERMSIG(wait_status()), SIGSEGV);
  auto other = start();
  other.invoke();
  EXPECT_EQ(other.finish(), 200U);
  EXPECT_EQ(other.answer, "data");
}

TEST_F(NativeDatasets, OneThatCannotBeMappedIsWhyTheTemplateFails) {
  compile(
      "#include <mayfly.h>\nmayfly::Response handle(const mayfly::Request&) { return 200; } "
      "MAYFLY_HANDLER(handle)");
  add("data", "data");
  datasets_[0]["size"] = 5;
  const auto report = load_with_datasets(ControlType::failed);
  EXPECT_EQ(report["kind"], "init");
  EXPECT_THAT(report["message"].get<std::string>(),
              StartsWith("the dataset 'data': the dataset is said to have 5 bytes, but its file has 4"));
}

}  // namespace
}  // namespace mayfly::native
