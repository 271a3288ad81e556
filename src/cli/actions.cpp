#include "cli/actions.h"

#include <algorithm>

#include "base/text.h"
#include "cli/error.h"

namespace mayfly::cli {

Result<void> check_action(const std::string& verb, std::span<const Action> actions, const std::string& action,
                          const std::vector<std::string>& names) {
  const auto found = std::ranges::find(actions, action, &Action::name);
  const auto command = "mayfly " + verb + " " + action;
  if (found == actions.end()) {
    std::vector<std::string_view> known;
    std::string all;
    for (const auto& one : actions) {
      known.push_back(one.name);
      all.append(all.empty() ? "" : ", ").append(one.name);
    }
    return fail(CliErrc::usage, "there is no `" + command + "`" + did_you_mean(action, known) + "\n`mayfly " +
                                    verb + "` does one of these: " + all);
  }
  if (names.size() < found->least)
    return fail(CliErrc::usage, "`" + command + "` needs more: " + command + " " + std::string(found->takes));
  if (names.size() > found->most)
    return fail(CliErrc::usage, "`" + command + "` takes " +
                                    (found->most == 0 ? "nothing" : std::string(found->takes)) +
                                    ", and not '" + names[found->most] + "'");
  return {};
}

}  // namespace mayfly::cli
