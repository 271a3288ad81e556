#include "sandbox/box.h"

#include <gtest/gtest.h>

namespace mayfly::sandbox {
namespace {

Box example() {
  Box box;
  box.user = 1'900'065'537;
  box.hostname = "hello";
  box.network = BoxNetwork::given;
  box.visible = {{"/usr", "/usr"}, {"/tmp/data/1", "/host/tmp/data/1"}};
  box.copied = {"/etc/services"};
  box.links = {{"/bin", "usr/bin"}};
  box.files = {{"/etc/hosts", "127.0.0.1 localhost\n"}};
  box.open_files = 77;
  box.processes = 512;
  box.descriptors = {BoxDescriptor::filter, BoxDescriptor::cgroup};
  return box;
}

TEST(Box, ComesBackAsItWas) {
  const auto back = decode_box(encode(example()));
  ASSERT_TRUE(back);
  EXPECT_EQ(encode(*back), encode(example()));
  EXPECT_EQ(back->visible.at(1).at, "/host/tmp/data/1");
  EXPECT_EQ(back->links.at(0).content, "usr/bin");
  EXPECT_EQ(back->processes, 512U);
  EXPECT_EQ(back->network, BoxNetwork::given);
  EXPECT_EQ(back->descriptors, example().descriptors);
}

TEST(Box, WhatIsCutOrLongerIsRefused) {
  const auto whole = encode(example());
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(decode_box(whole.substr(0, size))) << size;
  EXPECT_FALSE(decode_box(whole + "x"));
}

TEST(Box, UnknownDescriptorsAreRefused) {
  auto text = encode(example());
  text.back() = 9;
  EXPECT_FALSE(decode_box(text));
}

}  // namespace
}  // namespace mayfly::sandbox
