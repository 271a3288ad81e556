#include "registry/registry.h"

#include <algorithm>
#include <iterator>
#include <ranges>
#include <set>

#include "base/text.h"
#include "registry/config_choices.h"
#include "registry/config_keys.h"
#include "registry/main_version.h"
#include "registry/name.h"
#include "store/schema.h"

namespace mayfly::registry {
namespace {

const SystemClock kSystemClock;
constexpr std::uint32_t kMaxWeight = 1'000'000;
constexpr auto kLooseLayersStay = std::chrono::minutes(10);

std::uint32_t number_of(const store::Row& row, int column) {
  return static_cast<std::uint32_t>(row.integer(column));
}

std::unexpected<Error> no_version(const Function& function, std::uint32_t number) {
  std::string kept;
  for (const auto& [other, version] : function.versions)
    kept += (kept.empty() ? "" : ", ") + std::to_string(other);
  return fail(RegistryErrc::unknown_version, "function '" + function.name + "' has no version " +
                                                 std::to_string(number) + "; it has " + kept);
}

Result<void> check_sticky(std::string_view sticky) {
  if (sticky.empty()) return {};
  for (const std::string_view kind : {"header:", "cookie:"}) {
    // RFC 9110, 5.6.2: a header's name, and a cookie's, is a token.
    if (!sticky.starts_with(kind) || sticky.size() == kind.size() || sticky.size() > 256) continue;
    const auto is_token = [](char c) {
      return c > ' ' && c < 0x7f && !std::string_view("()<>@,;:\\\"/[]?={}").contains(c);
    };
    if (std::ranges::all_of(sticky.substr(kind.size()), is_token)) return {};
  }
  return fail(RegistryErrc::bad_traffic,
              "sticky is header:NAME or cookie:NAME, not '" + std::string(sticky.substr(0, 80)) + "'");
}

}  // namespace

Result<std::uint32_t> version_before(const Function& function) {
  const auto serving = function.traffic.weights.rbegin()->first;
  const auto current = function.versions.find(serving);
  if (current == function.versions.begin()) {
    return fail(RegistryErrc::unknown_version, "'" + function.name + "' has no version before " +
                                                   std::to_string(serving) + " to go back to");
  }
  return std::prev(current)->first;
}

Result<std::unique_ptr<Registry>> Registry::open(const RegistryOptions& options) {
  std::error_code made;
  std::filesystem::create_directories(options.data, made);
  if (made) return fail_errno("create " + options.data.string(), made.value());
  auto sources = SourceStore::open(options.data);
  if (!sources) return propagate(sources);
  auto layers = LayerStore::open(*sources);
  if (!layers) return propagate(layers);
  store::Database::Options database_options;
  database_options.vfs = options.vfs;
  auto database = store::Database::open(options.data / "mayfly.db", database_options);
  if (!database) return propagate(database);
  if (auto migrated = store::migrate(*database); !migrated) return propagate(migrated);
  const auto& clock = options.clock != nullptr ? *options.clock : kSystemClock;
  std::unique_ptr<Registry> registry(
      new Registry(std::move(*database), std::move(*sources), std::move(*layers), clock));
  if (auto loaded = registry->load(); !loaded) return propagate(loaded);
  return registry;
}

Result<void> Registry::load() {
  std::map<std::string, Function> functions;
  auto read = database_.query("SELECT name, next_version, sticky, deleted, origin FROM functions",
                              [&](const auto& row) {
                                auto name = row.text(0);
                                entries_[name].next = number_of(row, 1);
                                if (row.integer(3) != 0) return;
                                entries_[name].origin = row.text(4);
                                auto& function = functions[name];
                                function.name = std::move(name);
                                function.traffic.sticky = row.text(2);
                              });
  if (!read) return read;
  if (auto loaded = load_versions(functions); !loaded) return loaded;
  if (auto loaded = load_traffic(functions); !loaded) return loaded;
  std::set<std::string> used;
  for (auto& [name, function] : functions) {
    for (const auto& [number, version] : function.versions) used.insert(version->root.filename());
    entries_[name].function = std::make_shared<const Function>(std::move(function));
  }
  sources_.retain(used);
  layers_.retain(used_layers());
  return {};
}

Result<void> Registry::load_versions(std::map<std::string, Function>& functions) {
  Result<void> result;
  auto read = database_.query(
      "SELECT function, number, digest, source, runtime, entry, config, created, layers FROM versions",
      [&](const store::Row& row) {
        Version version;
        version.function = row.text(0);
        version.number = number_of(row, 1);
        version.digest = row.text(2);
        version.root = sources_.path(row.text(3));
        version.runtime = value_of(kRuntimes, row.text(4)).value_or(Runtime::node);
        version.entry = row.text(5);
        version.created = WallTime{} + milliseconds(row.integer(7));
        for (const auto digest : std::views::split(row.text(8), ' '))
          if (!digest.empty())
            version.layers.push_back(layers_.path(std::string(digest.begin(), digest.end())));
        auto config = config_from_json(row.text(6));
        if (!config) {
          result = std::unexpected(std::move(config.error()).with("version", version.address()));
          return;
        }
        version.config = std::move(*config);
        auto& versions = functions[version.function].versions;  // before the right side takes the name away
        versions[number_of(row, 1)] = std::make_shared<const Version>(std::move(version));
      });
  if (!read) return read;
  return result;
}

Result<void> Registry::load_traffic(std::map<std::string, Function>& functions) {
  auto read = database_.query("SELECT function, version, weight FROM weights", [&](const store::Row& row) {
    functions[row.text(0)].traffic.weights[number_of(row, 1)] = number_of(row, 2);
  });
  if (!read) return read;
  return database_.query("SELECT function, alias, version FROM aliases", [&](const store::Row& row) {
    functions[row.text(0)].aliases[row.text(1)] = number_of(row, 2);
  });
}

void Registry::attach(Platform& platform) {
  platform_ = &platform;
  for (const auto& function : list()) platform.publish(function->name, function);
}

FunctionPtr Registry::find(std::string_view name) const {
  const auto entry = entries_.find(name);
  return entry == entries_.end() ? nullptr : entry->second.function;
}

Result<FunctionPtr> Registry::get(std::string_view name) const {
  if (auto function = find(name)) return function;
  std::vector<std::string_view> names;
  for (const auto& [other, entry] : entries_)
    if (entry.function) names.push_back(other);
  const std::string shown(name.substr(0, 80));
  return fail(RegistryErrc::unknown_function,
              "there is no function '" + shown + "'" + did_you_mean(name, names));
}

std::string Registry::origin(std::string_view name) const {
  const auto entry = entries_.find(name);
  return entry == entries_.end() || !entry->second.function ? std::string() : entry->second.origin;
}

std::vector<FunctionPtr> Registry::list() const {
  std::vector<FunctionPtr> functions;
  for (const auto& [name, entry] : entries_)
    if (entry.function) functions.push_back(entry.function);
  return functions;
}

Result<VersionPtr> Registry::version(std::string_view name, std::string_view reference) const {
  auto function = get(name);
  if (!function) return propagate(function);
  const auto& f = **function;
  if (reference.empty()) return main_version(f);
  if (const auto alias = f.aliases.find(std::string(reference)); alias != f.aliases.end())
    return f.versions.at(alias->second);
  const auto number = parse_integer(reference);
  if (!number || *number < 1 || *number > UINT32_MAX) {
    return fail(RegistryErrc::unknown_version,
                "function '" + f.name + "' has no alias '" + std::string(reference.substr(0, 80)) + "'");
  }
  const auto found = f.versions.find(static_cast<std::uint32_t>(*number));
  if (found == f.versions.end()) return no_version(f, static_cast<std::uint32_t>(*number));
  return found->second;
}

std::uint32_t Registry::next_number(std::string_view name) const {
  const auto entry = entries_.find(name);
  return entry == entries_.end() ? 1 : entry->second.next;
}

FunctionPtr Registry::put(Function function) {
  auto published = std::make_shared<const Function>(std::move(function));
  entries_[published->name].function = published;
  if (platform_ != nullptr) platform_->publish(published->name, published);
  return published;
}

Result<void> Registry::insert(const Version& version, const std::string& origin) {
  auto counted = database_.run(
      "INSERT INTO functions(name, next_version, origin) VALUES (?1, ?2, ?3) "
      "ON CONFLICT(name) DO UPDATE SET next_version = ?2, deleted = 0, origin = ?3",
      version.function, version.number + 1, origin);
  if (!counted) return counted;
  const auto config = config_to_json(version.config);
  const auto source = version.root.filename().string();
  const auto runtime = name_of(kRuntimes, version.runtime);
  std::string layers;
  for (const auto& layer : version.layers) layers += (layers.empty() ? "" : " ") + layer.filename().string();
  return database_.run("INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", version.function,
                       version.number, version.digest, source, runtime, version.entry, config,
                       to_millis(version.created), layers);
}

Result<void> Registry::write_traffic(const std::string& name, const Traffic& traffic) {
  if (auto done = database_.run("DELETE FROM weights WHERE function = ?", name); !done) return done;
  for (const auto& [number, weight] : traffic.weights) {
    auto done = database_.run("INSERT INTO weights VALUES (?, ?, ?)", name, number, weight);
    if (!done) return done;
  }
  return database_.run("UPDATE functions SET sticky = ? WHERE name = ?", traffic.sticky, name);
}

Result<FunctionPtr> Registry::add(const VersionPtr& version, bool keep_traffic, const std::string& origin) {
  if (auto named = check_function_name(version->function); !named) return propagate(named);
  if (version->number != next_number(version->function)) {
    return fail(RegistryErrc::unknown_version, "the next version of '" + version->function + "' is " +
                                                   std::to_string(next_number(version->function)));
  }
  Function function;
  if (const auto existing = find(version->function)) function = *existing;
  function.name = version->function;
  function.versions[version->number] = version;
  if (!keep_traffic || function.traffic.weights.empty()) function.traffic.weights = {{version->number, 100}};
  auto stored = database_.transaction([&]() -> Result<void> {
    if (auto done = insert(*version, origin); !done) return done;
    return write_traffic(function.name, function.traffic);
  });
  if (!stored) return propagate(stored);
  entries_[function.name].next = version->number + 1;
  entries_[function.name].origin = origin;
  return put(std::move(function));
}

Result<FunctionPtr> Registry::change_traffic(const Function& function, Traffic traffic) {
  auto stored = database_.transaction([&] { return write_traffic(function.name, traffic); });
  if (!stored) return propagate(stored);
  auto changed = function;
  changed.traffic = std::move(traffic);
  return put(std::move(changed));
}

Result<FunctionPtr> Registry::rollback(std::string_view name, std::uint32_t number) {
  auto function = get(name);
  if (!function) return function;
  const auto& f = **function;
  if (!f.versions.contains(number)) return no_version(f, number);
  return change_traffic(f, Traffic{{{number, 100}}, f.traffic.sticky});
}

Result<FunctionPtr> Registry::set_traffic(std::string_view name, Traffic traffic) {
  auto function = get(name);
  if (!function) return function;
  std::erase_if(traffic.weights, [](const auto& weight) { return weight.second == 0; });
  if (traffic.weights.empty())
    return fail(RegistryErrc::bad_traffic, "at least one version must have traffic");
  for (const auto& [number, weight] : traffic.weights) {
    if (!(*function)->versions.contains(number)) return no_version(**function, number);
    if (weight > kMaxWeight)
      return fail(RegistryErrc::bad_traffic, "a weight is at most " + std::to_string(kMaxWeight));
  }
  if (auto checked = check_sticky(traffic.sticky); !checked) return propagate(checked);
  return change_traffic(**function, std::move(traffic));
}

Result<FunctionPtr> Registry::set_alias(std::string_view name, const std::string& alias,
                                        std::uint32_t number) {
  auto function = get(name);
  if (!function) return function;
  if (auto checked = check_alias(alias); !checked) return propagate(checked);
  if (!(*function)->versions.contains(number)) return no_version(**function, number);
  auto stored = database_.run(
      "INSERT INTO aliases VALUES (?1, ?2, ?3) ON CONFLICT(function, alias) DO UPDATE SET version = ?3",
      (*function)->name, alias, number);
  if (!stored) return propagate(stored);
  auto changed = **function;
  changed.aliases[alias] = number;
  return put(std::move(changed));
}

Result<FunctionPtr> Registry::remove_alias(std::string_view name, const std::string& alias) {
  auto function = get(name);
  if (!function) return function;
  auto changed = **function;
  if (changed.aliases.erase(alias) == 0) {
    return fail(RegistryErrc::unknown_version,
                "function '" + changed.name + "' has no alias '" + alias.substr(0, 80) + "'");
  }
  auto stored = database_.run("DELETE FROM aliases WHERE function = ? AND alias = ?", changed.name, alias);
  if (!stored) return propagate(stored);
  return put(std::move(changed));
}

Result<FunctionPtr> Registry::remove_version(std::string_view name, std::uint32_t number) {
  auto function = get(name);
  if (!function) return function;
  auto changed = **function;
  const auto version = changed.versions.find(number);
  if (version == changed.versions.end()) return no_version(changed, number);
  if (changed.traffic.weights.contains(number))
    return fail(RegistryErrc::version_in_use, version->second->address() + " has traffic");
  for (const auto& [alias, target] : changed.aliases) {
    if (target == number)
      return fail(RegistryErrc::version_in_use, version->second->address() + " is '" + alias + "'");
  }
  auto stored = database_.run("DELETE FROM versions WHERE function = ? AND number = ?", changed.name, number);
  if (!stored) return propagate(stored);
  retire(version->second);
  changed.versions.erase(version);
  return put(std::move(changed));
}

Result<void> Registry::remove(std::string_view name) {
  auto function = get(name);
  if (!function) return propagate(function);
  const auto& f = **function;
  auto stored = database_.transaction([&]() -> Result<void> {
    for (const char* sql :
         {"DELETE FROM weights WHERE function = ?", "DELETE FROM aliases WHERE function = ?",
          "DELETE FROM versions WHERE function = ?",
          "UPDATE functions SET deleted = 1, sticky = '' WHERE name = ?"})
      if (auto done = database_.run(sql, f.name); !done) return done;
    return {};
  });
  if (!stored) return stored;
  for (const auto& [number, version] : f.versions) retire(version);
  entries_[f.name].function = nullptr;
  if (platform_ != nullptr) platform_->publish(f.name, nullptr);
  return {};
}

void Registry::retire(const VersionPtr& version) {
  retired_.push_back({version, version->root.filename(), version->layers});
}

bool Registry::uses_source(const std::string& source) const {
  for (const auto& [name, entry] : entries_) {
    if (!entry.function) continue;
    for (const auto& [number, version] : entry.function->versions)
      if (version->root.filename() == source) return true;
  }
  return false;
}

std::set<std::string> Registry::used_layers() const {
  std::set<std::string> used;
  const auto add = [&](const std::vector<std::filesystem::path>& layers) {
    for (const auto& layer : layers) used.insert(layer.filename());
  };
  for (const auto& [name, entry] : entries_) {
    if (!entry.function) continue;
    for (const auto& [number, version] : entry.function->versions) add(version->layers);
  }
  for (const auto& retired : retired_) add(retired.layers);
  for (const auto& [layer, until] : loose_layers_) used.insert(layer);
  return used;
}

void Registry::discard(const std::string& source, const std::vector<std::filesystem::path>& layers) {
  const auto is_retired = std::ranges::find(retired_, source, &Retired::source) != retired_.end();
  if (!is_retired && !uses_source(source)) sources_.remove(source);  // a retired one is collect()'s
  for (const auto& layer : layers) loose_layers_[layer.filename()] = clock_->now() + kLooseLayersStay;
}

std::vector<SourceStore::Trash> Registry::collect() {
  std::vector<SourceStore::Trash> trash;
  std::set<std::string> held;
  for (const auto& retired : retired_)
    if (!retired.version.expired()) held.insert(retired.source);
  auto gone = std::erase_if(retired_, [&](const Retired& retired) {
    if (held.contains(retired.source)) return false;
    if (uses_source(retired.source)) return true;
    auto taken = sources_.take_out(retired.source);
    if (taken) trash.push_back(std::move(*taken));
    return taken.has_value();
  });
  gone += std::erase_if(loose_layers_, [&](const auto& loose) { return loose.second <= clock_->now(); });
  if (gone > 0) std::ranges::move(layers_.retain(used_layers()), std::back_inserter(trash));
  return trash;
}

}  // namespace mayfly::registry
