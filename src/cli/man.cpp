#include "cli/error.h"
#include "cli/help.h"
#include "cli/verbs.h"

namespace mayfly::cli {

Verb man_verb(VerbList all) {
  return {.name = "man",
          .summary = "Print the manual page, in roff",
          .description = "Made from the same declarations as --help.",
          .examples = {"mayfly man | man -l -", "mayfly man > /usr/local/share/man/man1/mayfly.1"},
          .arguments = {},
          .run = [verbs = std::weak_ptr(all)](Context& context) -> Result<int> {
            context.out.write(manual(*verbs.lock()));
            return kOk;
          },
          .connects = false,
          .prints = false};
}

}  // namespace mayfly::cli
