#include "cli/confirm.h"

#include <unistd.h>

#include <iostream>

#include "cli/error.h"

namespace mayfly::cli {

Result<bool> confirmed(Context& context, bool yes, const std::string& question, const std::string& what) {
  if (yes) return true;
  if (::isatty(STDIN_FILENO) != 1)
    return fail(CliErrc::usage, "nobody is here to confirm that " + what + ": say --yes");
  context.err.write(question + "? [y/N] ");
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

}  // namespace mayfly::cli
