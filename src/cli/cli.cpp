#include "cli/cli.h"

#include <exception>

#include "cli/error.h"
#include "cli/help.h"
#include "cli/parse.h"
#include "cli/problem_view.h"
#include "cli/verbs.h"
#include "cli/version.h"

namespace mayfly::cli {
namespace {

/// Says what went wrong and gives the exit code.
int report(Context& context, const Error& error) {
  const auto problem = error.detail("problem");
  if (problem.empty()) {
    context.err.line(context.err.paint(Style::red, "mayfly: ") + error.message);
  } else {
    if (context.json) context.out.write(problem);
    context.err.write(show_problem(std::string(problem), context.err, std::string(error.detail("source"))));
  }
  return exit_code(error);
}

int run(const std::vector<Verb>& verbs, const std::vector<std::string>& words, Context& context) {
  const auto parsed = parse(verbs, words, context);
  if (!parsed) return report(context, parsed.error());
  if (parsed->version) {
    context.out.line("mayfly " + std::string(kVersion));
    return kOk;
  }
  if (parsed->help) {
    context.out.write(parsed->verb != nullptr ? help_text(*parsed->verb, context.out)
                                              : overview(verbs, context.out));
    return words.empty() ? kUsage : kOk;
  }
  auto done = parsed->verb->run(context);
  return done ? *done : report(context, done.error());
}

}  // namespace

VerbList all_verbs(const ServeFunction& serve) {
  auto all = std::make_shared<std::vector<Verb>>();
  *all = {serve_verb(serve), dev_verb(),      new_verb(),        deploy_verb(),        invoke_verb(),
          list_verb(),       describe_verb(), delete_verb(),     versions_verb(),      rollback_verb(),
          traffic_verb(),    logs_verb(),     invocation_verb(), callback_verb(),      upstream_verb(),
          topic_verb(),      queue_verb(),    dlq_verb(),        schedule_verb(),      pipeline_verb(),
          secret_verb(),     dataset_verb(),  key_verb(),        token_verb(),         usage_verb(),
          bill_verb(),       advise_verb(),   doctor_verb(),     completion_verb(all), man_verb(all),
          help_verb(all)};
  return all;
}

int cli_main(int argc, char** argv, const ServeFunction& serve) {
  Output out(stdout);
  Output err(stderr);
  Context context{.out = out, .err = err};
  try {
    const std::vector<std::string> words(argv + 1, argv + argc);
    return run(*all_verbs(serve), words, context);
  } catch (const std::exception& failure) {
    err.line(std::string("mayfly: ") + failure.what());
    return kFailed;
  }
}

}  // namespace mayfly::cli
