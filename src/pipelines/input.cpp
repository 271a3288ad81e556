#include "pipelines/input.h"

#include <array>
#include <nlohmann/json.hpp>

#include "base/json_depth.h"
#include "base/text.h"
#include "registry/error.h"

namespace mayfly::pipelines {

using nlohmann::json;
using registry::RegistryErrc;

namespace {

bool is_path(const std::string& text) { return text.starts_with('$') && !text.starts_with("$$"); }

void collect(const json& value, std::vector<std::string>& paths) {
  if (value.is_string() && is_path(value.get_ref<const std::string&>())) paths.push_back(value);
  if (value.is_structured())
    for (const auto& item : value) collect(item, paths);
}

/// Writes a template out, until that has become larger than a call's input may be.
class Renderer {
 public:
  explicit Renderer(RunValues& values) : values_(values) {}

  Result<void> write(const json& value) {
    if (out.size() > kMaxValue) return {};
    if (value.is_string()) return write_string(value.get_ref<const std::string&>());
    if (value.is_array()) return write_list(value);
    if (value.is_object()) return write_object(value);
    out += text_of(value);
    return {};
  }

  std::string out;

 private:
  Result<void> write_string(const std::string& text) {
    if (!is_path(text)) {
      out += text_of(json(text.starts_with("$$") ? text.substr(1) : text));
      return {};
    }
    const auto path = Path::parse(text);
    if (!path) return std::unexpected(path.error());
    auto found = values_.text_at(*path);
    if (!found) return propagate(found);
    out += found->value_or("null");
    return {};
  }

  Result<void> write_list(const json& list) {
    out += '[';
    for (const auto& item : list) {
      if (&item != &list.front()) out += ',';
      if (auto written = write(item); !written) return written;
    }
    out += ']';
    return {};
  }

  Result<void> write_object(const json& object) {
    out += '{';
    bool first = true;
    for (const auto& [name, item] : object.items()) {
      if (!first) out += ',';
      first = false;
      out.append(text_of(json(name))).append(":");
      if (auto written = write(item); !written) return written;
    }
    out += '}';
    return {};
  }

  RunValues& values_;
};

std::unexpected<Error> bad(std::string message) { return fail(RegistryErrc::bad_config, std::move(message)); }

Result<void> check_step_name(const Definition& definition, const Path& path) {
  const auto name = path.name_at(1);
  if (name.empty()) return bad("say of which step, like \"$.steps.NAME\"");
  if (definition.find(name) != nullptr) return {};
  std::vector<std::string_view> names;
  for (const auto& step : definition.steps) names.push_back(step.name);
  return bad("there is no step '" + std::string(name.substr(0, 80)) + "'" + did_you_mean(name, names));
}

}  // namespace

std::vector<std::string> paths_of(std::string_view input) {
  std::vector<std::string> paths;
  if (!input.empty()) collect(json::parse(input, nullptr, false), paths);
  return paths;
}

Result<void> check_root(const Definition& definition, const Path& path, bool of_item) {
  constexpr std::array<std::string_view, 7> kRoots{"input", "previous", "steps", "error",
                                                   "run",   "item",     "index"};
  const auto root = path.name_at(0);
  if (root == "steps") return check_step_name(definition, path);
  if ((root == "item" || root == "index") && !of_item)
    return bad("$." + std::string(root) + " is known in the input of a step with each alone");
  if (std::ranges::find(kRoots, root) != kRoots.end()) return {};
  return bad(
      "a path begins with $.input, $.previous, $.steps.NAME, $.error, $.run, and with each $.item or "
      "$.index" +
      did_you_mean(root, kRoots));
}

Result<std::expected<std::string, Failure>> render(std::string_view input, RunValues& values) {
  Renderer renderer(values);
  const auto parsed = json::parse(input, nullptr, false);
  if (auto written = renderer.write(parsed); !written) return propagate(written);
  return checked_input(std::move(renderer.out));
}

std::expected<std::string, Failure> checked_input(std::string text) {
  if (text.size() > kMaxValue)
    return std::unexpected(
        Failure{"pipelines:too-large", "the input is larger than " + size_in_words(kMaxValue)});
  if (!nests_at_most(text, kMaxDepth))
    return std::unexpected(
        Failure{"pipelines:too-deep",
                "the input has more than " + std::to_string(kMaxDepth) + " lists and objects in each other"});
  return text;
}

}  // namespace mayfly::pipelines
