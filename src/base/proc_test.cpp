#include "base/proc.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/reap.h"

namespace mayfly {
namespace {

TEST(Proc, AForkHasItsParentAndItsProgram) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_NAME, "a) R 1 2");  // a name that looks like what follows it
    ::pause();
  }
  const auto own = stat_of(::getpid());
  const auto its = stat_of(pid);
  end_child(pid);
  ASSERT_TRUE(own && its);
  EXPECT_EQ(own->state, 'R') << "whatever it is called";
  EXPECT_EQ(its->parent, ::getpid());
  EXPECT_EQ(its->start_code, own->start_code);
  EXPECT_FALSE(stat_of(pid)) << "it has ended";
}

TEST(Proc, NumbersAreTakenOffOneByOne) {
  std::string_view text = "a 12 b 7";
  EXPECT_EQ(take_number(text), 12U);
  EXPECT_EQ(take_number(text), 7U);
  EXPECT_EQ(take_number(text), std::nullopt);
  text = "99999999999999999999999";
  EXPECT_EQ(take_number(text), std::nullopt) << "larger than any";
}

}  // namespace
}  // namespace mayfly
