#include "base/memory_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace mayfly {
namespace {

TEST(MemoryFile, HoldsWhatItWasMadeWith) {
  std::string content(300'000, 'x');
  content[7] = '\0';
  const auto file = sealed_file("test", content);
  ASSERT_TRUE(file);
  EXPECT_EQ(read_all(file->get()).value(), content);
  EXPECT_EQ(read_all(file->get()).value(), content) << "reading moves nothing";
  EXPECT_EQ(read_all(sealed_file("test", "")->get()).value(), "");
}

TEST(MemoryFile, NobodyCanChangeIt) {
  const auto file = sealed_file("test", "content");
  ASSERT_TRUE(file);
  EXPECT_LT(::write(file->get(), "x", 1), 0);
  EXPECT_NE(::ftruncate(file->get(), 0), 0);
  const auto path = "/proc/self/fd/" + std::to_string(file->get());
  const Fd again(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(again);
  EXPECT_LT(::write(again.get(), "x", 1), 0) << "opened anew it is sealed still";
  EXPECT_EQ(read_all(file->get()).value(), "content");
}

}  // namespace
}  // namespace mayfly
