// Datasets as an executable sees them: a variable that holds a path.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/child.h"
#include "base/memory_file.h"
#include "exec/cgi_environment.h"
#include "exec/process.h"
#include "wire/control.h"

namespace mayfly::exec {
namespace {

constexpr auto kPayload =
    R"({"role": "template", "env": {"A": "b", "MAYFLY_DATASET_MODEL": "taken"}, "datasets": [
  {"name": "access-log.2", "fd": 100, "size": 8, "files": [{"name": "access.log", "offset": 0, "size": 8}]},
  {"name": "model", "fd": 101, "size": 0}]})";

TEST(Dataset, ItsVariableHasItsNameInUpperCase) {
  const auto variables = base_environment(parse_configuration(kPayload));
  EXPECT_EQ(variables.at("MAYFLY_DATASET_ACCESS_LOG_2"), "/proc/self/fd/100");
  EXPECT_EQ(variables.at("MAYFLY_DATASET_MODEL"), "/proc/self/fd/101");
  EXPECT_EQ(variables.at("A"), "b");
  for (const char* text : {R"({"role": "template"})", R"({"datasets": []})"})
    for (const auto& [name, value] : base_environment(parse_configuration(text)))
      EXPECT_FALSE(name.starts_with("MAYFLY_")) << name << "=" << value;
}

/// Puts a file where the fork server puts those that a child is born with.
Fd born_with(int number, std::string_view content) {
  auto file = sealed_file("dataset", content);
  EXPECT_TRUE(file);
  return Fd(::dup2(file->get(), number));  // without close-on-exec
}

TEST(Dataset, AnExecutableReadsItAsAFileAndCannotWriteToIt) {
  const auto log = born_with(wire::kFirstFile, "one\ntwo\n");
  const auto model = born_with(wire::kFirstFile + 1, "");
  const auto configuration = parse_configuration(kPayload);
  const auto done = mayfly::run(
      {"/bin/sh", "-c",
       "cat \"$MAYFLY_DATASET_ACCESS_LOG_2\"; tail -n 1 \"$MAYFLY_DATASET_ACCESS_LOG_2\"; "
       "wc -c < $MAYFLY_DATASET_MODEL; sed -n 's/^flags:.*\\(.\\)$/\\1/p' /proc/self/fdinfo/100; "
       "echo more >> \"$MAYFLY_DATASET_ACCESS_LOG_2\" || echo refused"},
      {.environment = as_strings(base_environment(configuration)), .descriptors = with_files({})});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->output, "one\ntwo\ntwo\n0\n0\nrefused\n") << done->errors;  // O_RDONLY is 0
  EXPECT_EQ(read_all(log.get()).value(), "one\ntwo\n");
}

}  // namespace
}  // namespace mayfly::exec
