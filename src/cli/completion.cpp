#include "cli/error.h"
#include "cli/help.h"
#include "cli/verbs.h"

namespace mayfly::cli {

// The list owns these verbs, so they refer to it weakly.

Verb completion_verb(VerbList all) {
  auto shell = std::make_shared<std::string>();
  return {.name = "completion",
          .summary = "Print the completion script for a shell",
          .description = "Names of functions are asked of the daemon while you type.",
          .examples = {"source <(mayfly completion bash)", "mayfly completion zsh > ~/.zfunc/_mayfly",
                       "mayfly completion fish > ~/.config/fish/completions/mayfly.fish"},
          .arguments = {{"shell", "SHELL", "bash, zsh or fish", shell.get(), ValueKind::shell, true}},
          .run = [shell, verbs = std::weak_ptr(all)](Context& context) -> Result<int> {
            const auto script = completion_script(*verbs.lock(), *shell);
            if (script.empty())
              return fail(CliErrc::usage,
                          "there is no completion for '" + *shell + "', only for bash, zsh and fish");
            context.out.write(script);
            return kOk;
          },
          .connects = false,
          .prints = false};
}

}  // namespace mayfly::cli
