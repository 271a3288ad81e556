#include "registry/version_range.h"

#include <gtest/gtest.h>

#include <vector>

namespace mayfly::registry {
namespace {

TEST(VersionRange, TellsWhatIsAskedFor) {
  struct Case {
    const char* version;
    const char* range;
    std::optional<bool> wanted;
  };
  const std::vector<Case> cases{
      {"3.11.7", ">=3.11", true},
      {"3.11.7", ">=3.12", false},
      {"3.11.7", ">= 3.8, < 4", true},
      {"3.11.7", ">=3.8,<3.11", false},
      {"3.11.7", "~=3.10", true},
      {"3.11.7", "~=3.10.2", false},
      {"3.11.7", "==3.11.*", true},
      {"3.11.7", "!=3.11.*", false},
      {"3.11.7", ">3.11", false},
      {"3.11.7", "<=3.11", true},
      {"3.11.7", "^3.12", false},
      {"20.11.1", "^20.1", true},
      {"20.11.1", "18 || 20", true},
      {"20.11.1", "18.x || 19.x", false},
      {"20.11.1", ">=18 <20", false},
      {"20.11.1", ">=18.0.0", true},
      {"20.11.1", "~20.11", true},
      {"20.11.1", "v22", false},
      {"20.11.1", "*", true},
      {"20.11.1", ">20", false},
      {"0.2.9", "^0.2.3", true},
      {"0.3.0", "^0.2.3", false},
      {"20.11.1", "18 - 22", {}},
      {"20.11.1", "lts/*", {}},
      {"20.11.1", "", {}},
      {"3.11.7", ">=3.12a1", {}},
      {"3.13.0rc1", ">=3.12", {}},
      {"20.11.1", ">=18.0.0-pre", {}},
      {"20.11.1", "<", {}},
      {"20.11.1", "1.2.3.4", {}},
      {"20.11.1", ">=22 || latest", {}},
  };
  for (const auto& one : cases)
    EXPECT_EQ(is_in_range(one.version, one.range), one.wanted) << one.version << " in '" << one.range << "'";
}

}  // namespace
}  // namespace mayfly::registry
