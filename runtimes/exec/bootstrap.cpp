#include "exec/bootstrap.h"

#include <fcntl.h>

#include "exec/cgi_environment.h"

namespace mayfly::exec {

Bootstrap::Bootstrap(Loop& loop, Handlers handlers)
    : handlers_(std::move(handlers)),
      exit_(loop.reactor()),
      output_(loop.reactor(), handlers_.line),
      errors_(loop.reactor(), handlers_.line) {}

Result<void> Bootstrap::start(const Configuration& configuration, const std::string& api) {
  auto out = pipe_from_child();
  auto err = pipe_from_child();
  for (auto* pipe : {&out, &err})
    if (!*pipe) return propagate(*pipe);
  auto child = Child::start({.argv = {configuration.executable()},
                             .environment = bootstrap_environment(configuration, api),
                             .descriptors = with_files({{out->theirs.get(), 1}, {err->theirs.get(), 2}})});
  if (!child) return propagate(child);
  child_ = std::move(*child);
  exit_.open(Fd(::fcntl(child_.pidfd(), F_DUPFD_CLOEXEC, 0)), EPOLLIN, [this] { on_exit(); });
  output_.open(std::move(out->ours));
  errors_.open(std::move(err->ours));
  return {};
}

void Bootstrap::on_exit() {
  const auto status = child_.try_wait();
  if (!status) return;
  exit_.close();
  output_.finish();
  errors_.finish();
  handlers_.ended(*status);
}

std::string Bootstrap::last_words() const {
  auto words = errors_.tail();
  return words.empty() ? output_.tail() : words;
}

std::vector<std::string> bootstrap_environment(const Configuration& configuration, const std::string& api) {
  constexpr std::uint64_t kMegabyte = 1U << 20U;
  std::map<std::string, std::string> variables{
      {"AWS_REGION", "us-east-1"},
      {"AWS_DEFAULT_REGION", "us-east-1"},
      {"AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"},
      {"AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"},
      {"AWS_LAMBDA_LOG_GROUP_NAME", "/mayfly/" + configuration.function},
      {"LAMBDA_RUNTIME_DIR", configuration.root},
      {"LD_LIBRARY_PATH", configuration.root + ":" + configuration.root + "/lib"},
      {"_HANDLER", configuration.handler_name()},
  };
  for (auto& [name, value] : base_environment(configuration)) variables[name] = std::move(value);
  variables["AWS_LAMBDA_RUNTIME_API"] = api;
  variables["AWS_LAMBDA_FUNCTION_NAME"] = configuration.function;
  variables["AWS_LAMBDA_FUNCTION_VERSION"] = configuration.version;
  variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = std::to_string(configuration.memory / kMegabyte);
  variables["AWS_LAMBDA_LOG_STREAM_NAME"] = configuration.version;
  variables["LAMBDA_TASK_ROOT"] = configuration.root;
  return as_strings(variables);
}

}  // namespace mayfly::exec
