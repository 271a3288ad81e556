#include <algorithm>

#include "base/text.h"
#include "cli/error.h"
#include "cli/help.h"
#include "cli/verbs.h"

namespace mayfly::cli {
namespace {

Result<int> help(Context& context, const std::vector<Verb>& verbs, const std::string& name) {
  if (name.empty()) {
    context.out.write(overview(verbs, context.out));
    return kOk;
  }
  const auto found = std::ranges::find(verbs, name, &Verb::name);
  if (found == verbs.end()) {
    std::vector<std::string_view> names;
    for (const auto& verb : verbs) names.push_back(verb.name);
    return fail(CliErrc::usage, "there is no verb '" + name + "'" + did_you_mean(name, names));
  }
  context.out.write(help_text(*found, context.out));
  return kOk;
}

}  // namespace

Verb help_verb(VerbList all) {
  auto name = std::make_shared<std::string>();
  return {.name = "help",
          .summary = "Say what a verb does",
          .description = "",
          .examples = {"mayfly help deploy"},
          .arguments = {{"verb", "VERB", "The verb", name.get(), ValueKind::verb}},
          .run = [name, verbs = std::weak_ptr(all)](
                     Context& context) { return help(context, *verbs.lock(), *name); },
          .connects = false,
          .prints = false};
}

}  // namespace mayfly::cli
