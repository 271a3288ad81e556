#include "sandbox/cgroup_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mayfly::sandbox {
namespace {

using testing::ElementsAre;

TEST(FindCgroups, VersionOneHasAFolderForEachHierarchy) {
  const auto found = find_cgroups(
      "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
      "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:3 - cgroup cgroup rw,cpu,cpuacct\n"
      "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
      "40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd\n"
      "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n",
      "9:name=systemd:/\n4:memory:/jobs/one\n1:cpu,cpuacct:/\n0::/shell\n");
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ(found[0].own, "/sys/fs/cgroup/cpu,cpuacct");
  EXPECT_THAT(found[0].controllers, ElementsAre("cpu", "cpuacct"));
  EXPECT_EQ(found[1].own, "/sys/fs/cgroup/memory/jobs/one");
  EXPECT_THAT(found[2].controllers, ElementsAre("name=systemd"));
  EXPECT_EQ(found[3].own, "/sys/fs/cgroup/unified/shell");
  EXPECT_TRUE(found[3].unified);
  EXPECT_TRUE(found[3].controllers.empty());
}

TEST(FindCgroups, AMountMayShowAPartOfTheTreeOnly) {
  const auto in = [](const std::string& root, const std::string& group) {
    const auto found = find_cgroups("30 20 0:26 " + root + " /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
                                    "0::" + group + "\n");
    return found.empty() ? std::string("none") : found.front().own.string();
  };
  EXPECT_EQ(in("/docker/abc", "/docker/abc"), "/sys/fs/cgroup");
  EXPECT_EQ(in("/docker/abc", "/docker/abc/app"), "/sys/fs/cgroup/app");
  EXPECT_EQ(in("/docker/abc", "/docker/abcd"), "none");
  EXPECT_EQ(in("/", "/../other"), "none") << "a group outside of the namespace";
  EXPECT_EQ(in("/", "/user.slice/app.service"), "/sys/fs/cgroup/user.slice/app.service");
}

TEST(FindCgroups, ABlankInAPathIsOneAndASecondMountIsNoSecondTree) {
  const auto found = find_cgroups(
      "30 20 0:26 / /a\\040b rw - cgroup2 cgroup2 rw\n31 20 0:26 / /again rw - cgroup2 cgroup2 rw\n",
      "0::/x\n");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found.front().own, "/a b/x");
}

TEST(FindCgroups, NonsenseIsNoTree) {
  EXPECT_TRUE(find_cgroups("", "").empty());
  EXPECT_TRUE(find_cgroups("- cgroup2\n1 - cgroup2 x y\n", "0::/\nx\n::\n").empty());
}

}  // namespace
}  // namespace mayfly::sandbox
