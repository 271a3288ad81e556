#include "datasets/datasets.h"

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "store/schema.h"

namespace mayfly::datasets {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const SystemClock kSystemClock;
constexpr std::chrono::seconds kLeastEvery{1};
constexpr std::chrono::seconds kWatchEvery{1};

WallTime from_ms(std::int64_t ms) { return WallTime{} + milliseconds(ms); }

/// As functions are named; "-" is no name.
bool is_dataset_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !name.empty() && name.size() <= 63 && name.front() != '-' && name.front() != '_' &&
         std::ranges::all_of(name, fits);
}

Result<void> check(const std::string& name, const Definition& definition, bool uploads,
                   const fs::path& data) {
  if (!is_dataset_name(name))
    return fail(DatasetsErrc::bad_name, "'" + name.substr(0, 80) +
                                            "' cannot be the name of a dataset: 1 to 63 of a-z, 0-9, '-' and "
                                            "'_', beginning with a letter or digit");
  if (definition.every.count() != 0 && definition.every < kLeastEvery)
    return fail(DatasetsErrc::bad_source, "a dataset is loaded again every second at the most");
  if (uploads && (definition.every.count() != 0 || definition.watch))
    return fail(DatasetsErrc::bad_source, "what was uploaded has no source to be loaded from again");
  return uploads ? Result<void>() : check_patterns(definition.from, data);
}

/// When its sources are to be looked at again; nothing: not by itself, or not while it is loaded.
std::optional<MonotonicTime> look_time(const Dataset& dataset) {
  const auto& definition = dataset.definition;
  if (dataset.loading) return std::nullopt;
  if (definition.watch) return dataset.looked + kWatchEvery;
  if (definition.every.count() > 0) return dataset.looked + definition.every;
  return std::nullopt;
}

/// What was uploaded takes its place, whole and synced.
Result<void> keep(const fs::path& upload, const fs::path& place) {
  const Fd file(::open(upload.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file || ::fsync(file.get()) != 0) return fail_errno("keep what was uploaded");
  std::error_code error;
  fs::rename(upload, place, error);
  if (error) return fail(error, "keep what was uploaded: " + error.message());
  return {};
}

}  // namespace

Datasets::Datasets(store::Database database, const DatasetsOptions& options)
    : database_(std::move(database)),
      options_(options),
      clock_(options.clock != nullptr ? *options.clock : kSystemClock) {}

Result<std::unique_ptr<Datasets>> Datasets::open(const DatasetsOptions& options) {
  auto database = store::Database::open(options.data / "mayfly.db");
  if (!database) return propagate(database);
  if (auto migrated = store::migrate(*database); !migrated) return propagate(migrated);
  std::error_code error;
  fs::create_directories(options.data / "datasets", error);
  if (error) return fail(error, "make the folder of datasets: " + error.message());
  std::unique_ptr<Datasets> datasets(new Datasets(std::move(*database), options));
  if (auto read = datasets->read(); !read) return propagate(read);
  return datasets;
}

Result<void> Datasets::read() {
  return database_.query("SELECT name, patterns, every, watch, created FROM datasets",
                         [&](const store::Row& row) {
                           Dataset dataset{.name = row.text(0)};
                           const auto patterns = json::parse(row.text(1), nullptr, false);
                           if (patterns.is_array()) dataset.definition.from = patterns.get<Patterns>();
                           dataset.definition.every = milliseconds(row.integer(2));
                           dataset.definition.watch = row.integer(3) != 0;
                           dataset.created = from_ms(row.integer(4));
                           datasets_[dataset.name] = std::move(dataset);
                         });
}

void Datasets::load_all() {
  for (auto& [name, dataset] : datasets_) {
    const auto order = order_of(dataset);
    dataset.loading = true;
    (void)finish(order, load(order));
    settle(order.name);
  }
}

fs::path Datasets::upload_of(const std::string& name) const { return options_.data / "datasets" / name; }

Order Datasets::order_of(const Dataset& dataset) const {
  Order order{.name = dataset.name, .definition = dataset.definition};
  if (dataset.definition.uploaded()) order.upload = upload_of(dataset.name);
  return order;
}

Result<Order> Datasets::begin(const std::string& name, Definition definition, const fs::path& upload) {
  if (auto checked = check(name, definition, !upload.empty(), options_.data); !checked)
    return propagate(checked);
  if (!upload.empty() && !definition.from.empty())
    return fail(DatasetsErrc::bad_source, "a dataset has either files or an upload as its source");
  const auto found = datasets_.find(name);
  if (found == datasets_.end() && datasets_.size() >= kMaxDatasets) {
    auto error =
        fail(DatasetsErrc::too_many, "there are " + std::to_string(kMaxDatasets) + " datasets already");
    error.error().with("limit", std::to_string(kMaxDatasets));
    return error;
  }
  if (beginning_.contains(name) || (found != datasets_.end() && found->second.loading))
    return fail(DatasetsErrc::busy, "the dataset '" + name + "' is being loaded");
  if (found == datasets_.end())
    beginning_.insert(name);
  else
    found->second.loading = true;
  auto order = order_of({.name = name, .definition = std::move(definition)});
  if (!upload.empty()) order.upload = upload;
  return order;
}

Result<Order> Datasets::begin_again(const std::string& name) {
  const auto found = datasets_.find(name);
  if (found == datasets_.end()) return unknown(name);
  if (found->second.loading) return fail(DatasetsErrc::busy, "the dataset '" + name + "' is being loaded");
  found->second.loading = true;
  return order_of(found->second);
}

std::uint64_t Datasets::room() const {
  const std::lock_guard lock(mutex_);
  const auto taken = used() + loaded_;
  return options_.budget - std::min(options_.budget, taken);
}

Result<std::shared_ptr<Generation>> Datasets::load(const Order& order) {
  // What was uploaded lies in the data folder itself.
  const bool uploaded = order.definition.uploaded();
  auto files = open_files(uploaded ? Patterns{order.upload.string()} : order.definition.from,
                          uploaded ? fs::path() : options_.data);
  if (!files) return propagate(files);
  if (!order.unless.empty() && fingerprint(*files) == order.unless) return nullptr;
  auto built = build(order.name, std::move(*files), room(), stopping_);
  if (!built) return propagate(built);
  if (uploaded)
    for (auto& part : built->parts) part.name = order.name;
  const std::lock_guard lock(mutex_);
  loaded_ += built->size;
  return std::make_shared<Generation>(std::move(*built));
}

Result<void> Datasets::commit(const Order& order, const Dataset& dataset) {
  const auto place = upload_of(order.name);
  const auto patterns = json(order.definition.from).dump(-1, ' ', false, json::error_handler_t::replace);
  auto done = database_.transaction([&]() -> Result<void> {
    auto written = database_.run(
        "INSERT INTO datasets VALUES (?1, ?2, ?3, ?4, ?5) "
        "ON CONFLICT(name) DO UPDATE SET patterns = ?2, every = ?3, watch = ?4",
        order.name, patterns, order.definition.every.count(), order.definition.watch ? 1 : 0,
        to_millis(dataset.created));
    if (!written || !order.definition.uploaded() || order.upload == place) return written;
    return keep(order.upload, place);
  });
  std::error_code ignored;
  if (done && !order.definition.uploaded()) fs::remove(place, ignored);
  return done;
}

Result<Dataset> Datasets::finish(const Order& order, Result<std::shared_ptr<Generation>> loaded) {
  beginning_.erase(order.name);
  if (loaded && *loaded) {
    const std::lock_guard lock(mutex_);
    loaded_ -= (*loaded)->size;
  }
  const auto found = datasets_.find(order.name);
  Dataset dataset =
      found == datasets_.end() ? Dataset{.name = order.name, .created = clock_.wall()} : found->second;
  const bool is_new = found == datasets_.end();
  const bool changed = is_new || !(dataset.definition == order.definition) ||
                       (order.definition.uploaded() && order.upload != upload_of(order.name));
  dataset.looked = clock_.now();
  Result<void> done;
  if (!loaded)
    done = propagate(loaded);
  else if (changed)
    done = commit(order, dataset);
  dataset.loading = done && *loaded;
  dataset.failure = done ? std::nullopt : std::optional(done.error());
  if (!done && is_new) return propagate(done);
  if (done) dataset.definition = order.definition;
  if (done && *loaded) {
    (*loaded)->number = dataset.current ? dataset.current->number + 1 : 1;
    (*loaded)->loaded = clock_.wall();
    dataset.current = *loaded;
  }
  const std::lock_guard lock(mutex_);
  datasets_[order.name] = dataset;
  if (!done) return propagate(done);
  return dataset;
}

void Datasets::settle(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (const auto found = datasets_.find(name); found != datasets_.end()) found->second.loading = false;
}

Result<void> Datasets::remove(const std::string& name) {
  const auto found = datasets_.find(name);
  if (found == datasets_.end()) return unknown(name);
  if (found->second.loading) return fail(DatasetsErrc::busy, "the dataset '" + name + "' is being loaded");
  if (auto removed = database_.run("DELETE FROM datasets WHERE name = ?", name); !removed) return removed;
  std::error_code ignored;
  fs::remove(upload_of(name), ignored);
  const std::lock_guard lock(mutex_);
  datasets_.erase(found);
  return {};
}

std::vector<Dataset> Datasets::list() const {
  std::vector<Dataset> all;
  for (const auto& [name, dataset] : datasets_) all.push_back(dataset);
  return all;
}

std::unexpected<Error> Datasets::unknown(std::string_view name) const {
  std::vector<std::string_view> names;
  for (const auto& [other, dataset] : datasets_) names.push_back(other);
  const std::string shown(name.substr(0, 80));
  return fail(DatasetsErrc::unknown_dataset,
              "there is no dataset '" + shown + "'" + did_you_mean(name, names));
}

Result<Dataset> Datasets::get(std::string_view name) const {
  const auto found = datasets_.find(name);
  if (found == datasets_.end()) return unknown(name);
  return found->second;
}

std::vector<Order> Datasets::due(MonotonicTime now) {
  std::vector<Order> orders;
  for (auto& [name, dataset] : datasets_) {
    const auto time = look_time(dataset);
    if (!time || now < *time) continue;
    dataset.loading = true;
    orders.push_back(order_of(dataset));
    if (dataset.current) orders.back().unless = dataset.current->fingerprint;
  }
  return orders;
}

std::optional<MonotonicTime> Datasets::next_look() const {
  std::optional<MonotonicTime> next;
  for (const auto& [name, dataset] : datasets_)
    if (const auto time = look_time(dataset); time && (!next || *time < *next)) next = time;
  return next;
}

std::uint64_t Datasets::used() const {
  std::uint64_t bytes = 0;
  for (const auto& [name, dataset] : datasets_)
    if (dataset.current) bytes += dataset.current->size;
  return bytes;
}

Result<GenerationPtr> Datasets::current(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = datasets_.find(name);
  if (found == datasets_.end()) return unknown(name);
  if (found->second.current) return found->second.current;
  std::string why = found->second.failure ? ": " + found->second.failure->message : "";
  return fail(DatasetsErrc::not_loaded, "the dataset '" + std::string(name) + "' is not loaded" + why);
}

}  // namespace mayfly::datasets
