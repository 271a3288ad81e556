#include "access/keys.h"

#include <algorithm>

#include "access/error.h"
#include "base/credential.h"
#include "registry/name.h"
#include "registry/trigger.h"
#include "store/schema.h"

namespace mayfly::access {
namespace {

/// Together with the functions that there are, the bound of the shards' memory for rates.
constexpr std::size_t kMaxKeys = 10'000;
constexpr std::size_t kMaxFunctions = 100;

std::unexpected<Error> unknown(std::string_view name) {
  return fail(AccessErrc::unknown_key, "there is no key '" + std::string(name) + "'");
}

/// What a key is for can also be a topic, or a pipeline.
constexpr std::string_view kTopicPrefix = "topics/";
constexpr std::string_view kPipelinePrefix = "pipelines/";

Result<void> check(const Keys::NewKey& wanted) {
  if (!is_credential_name(wanted.name))
    return fail(AccessErrc::bad_key, "a key's name has 1 to 63 of a-z, 0-9, '-' and '_'");
  if (wanted.functions.size() > kMaxFunctions)
    return fail(AccessErrc::bad_key, "a key names at most 100 functions; one that names none is for all");
  for (const auto& function : wanted.functions) {
    if (registry::check_function_name(function)) continue;
    if (function.starts_with(kTopicPrefix) && registry::is_topic_name(function.substr(kTopicPrefix.size())))
      continue;
    if (function.starts_with(kPipelinePrefix) &&
        registry::check_function_name(function.substr(kPipelinePrefix.size())))
      continue;
    return fail(AccessErrc::bad_key,
                "'" + function +
                    "' is neither the name of a function nor, like \"topics/orders\" and "
                    "\"pipelines/signup\", of a topic or a pipeline");
  }
  return {};
}

/// Names of functions have no blanks.
std::string joined(const Key& key) {
  std::string text;
  for (const auto& function : key.functions) text += (text.empty() ? "" : " ") + function;
  return text;
}

void split_into(Key& key, const std::string& text) {
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find(' ', begin), text.size());
    key.functions.insert(text.substr(begin, end - begin));
    begin = end + 1;
  }
}

std::string_view as_text(const KeyHash& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

}  // namespace

Result<std::unique_ptr<Keys>> Keys::open(const std::filesystem::path& data, const Clock& clock) {
  auto database = store::Database::open(data / "mayfly.db");
  if (!database) return propagate(database);
  if (auto migrated = store::migrate(*database); !migrated) return propagate(migrated);
  std::unique_ptr<Keys> keys(new Keys(std::move(*database), clock));
  if (auto loaded = keys->load(); !loaded) return propagate(loaded);
  return keys;
}

Result<void> Keys::load() {
  return database_.query("SELECT hash, name, functions, rate, created, expires FROM keys",
                         [this](const store::Row& row) {
                           const auto blob = row.blob(0);
                           KeyHash hash{};
                           if (blob.size() != hash.size()) return;
                           std::ranges::copy(blob, hash.begin());
                           Key key{.name = row.text(1), .created = WallTime(milliseconds(row.integer(4)))};
                           split_into(key, row.text(2));
                           key.rate = parse_rate(row.text(3));
                           if (!row.is_null(5)) key.expires = WallTime(milliseconds(row.integer(5)));
                           keys_.emplace(hash, std::move(key));
                         });
}

Result<std::string> Keys::create(const NewKey& wanted) {
  if (auto checked = check(wanted); !checked) return propagate(checked);
  if (get(wanted.name))
    return fail(AccessErrc::key_exists, "there is a key '" + wanted.name + "'; revoke it first");
  if (keys_.size() >= kMaxKeys) return fail(AccessErrc::bad_key, "there are 10000 keys already");
  const auto random = random_token();
  if (!random) return random;
  auto text = std::string(kKeyPrefix) + *random;
  const auto hash = hash_of(text);
  Key key{.name = wanted.name,
          .functions = {wanted.functions.begin(), wanted.functions.end()},
          .rate = wanted.rate,
          .created = clock_.wall()};
  if (wanted.lifetime) key.expires = key.created + *wanted.lifetime;
  const auto rate = key.rate ? format_rate(*key.rate) : std::string();
  const auto kept =
      database_.run("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?)", key.name, store::Blob{as_text(hash)},
                    joined(key), rate, to_millis(key.created), key.expires.transform(to_millis));
  if (!kept) return std::unexpected(kept.error());
  keys_.emplace(hash, std::move(key));
  return text;
}

Result<void> Keys::revoke(const std::string& name) {
  const auto found = std::ranges::find(keys_, name, [](const auto& each) { return each.second.name; });
  if (found == keys_.end()) return unknown(name);
  auto gone = database_.run("DELETE FROM keys WHERE name = ?", name);
  if (gone) keys_.erase(found);
  return gone;
}

std::vector<Key> Keys::list() const {
  std::vector<Key> all;
  for (const auto& [hash, key] : keys_) all.push_back(key);
  std::ranges::sort(all, {}, &Key::name);
  return all;
}

Result<Key> Keys::get(std::string_view name) const {
  for (const auto& [hash, key] : keys_)
    if (key.name == name) return key;
  return unknown(name);
}

}  // namespace mayfly::access
