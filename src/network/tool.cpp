#include "network/tool.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

namespace mayfly::network {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kPackages{
    {{"ip", "iproute2"}, {"nft", "nftables"}, {"slirp4netns", "slirp4netns"}, {"prlimit", "util-linux"}}};
constexpr milliseconds kPatience{10'000};

}  // namespace

Result<std::string> find_tool(const std::string& name) {
  if (auto found = find_program(name); !found.empty()) return found;
  for (const char* folder : {"/usr/sbin/", "/sbin/", "/usr/bin/", "/bin/"})
    if (auto path = folder + name; ::access(path.c_str(), X_OK) == 0) return path;
  const auto* package =
      std::ranges::find(kPackages, name, &std::pair<std::string_view, std::string_view>::first);
  const auto from = package == kPackages.end() ? name : std::string(package->second);
  return fail(NetworkErrc::missing_tool, name + " is not installed: apt-get install " + from);
}

std::string last_line(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  const auto end = text.rfind('\n');
  return std::string(end == std::string_view::npos ? text : text.substr(end + 1));
}

Result<std::string> run_tool(std::string_view doing, const std::vector<std::string>& argv,
                             const std::string& input,
                             const std::vector<ChildOptions::Descriptor>& descriptors) {
  RunOptions options;
  options.input = input;
  options.descriptors = descriptors;
  options.deadline = kPatience;
  auto done = run(argv, options);
  if (!done) return fail(NetworkErrc::refused, std::string(doing) + ": " + done.error().message);
  if (done->status.success()) return std::move(done->output);
  auto why = done->timed_out ? "it took longer than 10 s" : last_line(done->errors);
  if (why.empty()) why = done->status.text();
  return fail(NetworkErrc::refused, std::string(doing) + ": " + why);
}

}  // namespace mayfly::network
