#include <nlohmann/json.hpp>
#include <set>

#include "admin/api.h"
#include "admin/endpoint.h"
#include "admin/errors.h"
#include "admin/view.h"
#include "base/text.h"

namespace mayfly::admin {

using boost::asio::awaitable;
using nlohmann::json;

namespace {

/// "search@1", "search@3": the versions that list a dataset.
std::vector<std::string> users(const registry::Registry& registry, const std::string& dataset) {
  const registry::Listed wanted{registry::Listed::Kind::dataset, dataset};
  std::vector<std::string> addresses;
  for (const auto& function : registry.list())
    for (const auto& [number, version] : function->versions)
      if (registry::lists(version->config, wanted)) addresses.push_back(version->address());
  return addresses;
}

json source_json(const datasets::Definition& definition) {
  if (definition.uploaded()) return {{"uploaded", true}};
  json source{{"from", definition.from}, {"watch", definition.watch}};
  if (definition.every.count() > 0) source["every"] = format_duration(definition.every);
  return source;
}

json dataset_json(const Services& services, const datasets::Dataset& dataset) {
  std::set<std::string> functions;
  for (const auto& address : users(services.registry, dataset.name))
    functions.insert(address.substr(0, address.find('@')));
  json object{{"name", dataset.name},
              {"source", source_json(dataset.definition)},
              {"created", timestamp(dataset.created)},
              {"loading", dataset.loading},
              {"functions", functions}};
  if (dataset.failure) object["failure"] = dataset.failure->message;
  if (!dataset.current) return object;
  object["generation"] = dataset.current->number;
  object["loaded"] = timestamp(dataset.current->loaded);
  object["size_bytes"] = dataset.current->size;
  object["huge_pages"] = dataset.current->huge_pages;
  object["parts"] = dataset.current->parts.size();
  return object;
}

Result<Response> list(const Services& services, Request&) {
  json all = json::array();
  for (const auto& dataset : services.datasets.list()) all.push_back(dataset_json(services, dataset));
  return json_response({{"datasets", std::move(all)},
                        {"used_bytes", services.datasets.used()},
                        {"budget_bytes", services.datasets.budget()}});
}

Result<Response> describe(const Services& services, Request& request) {
  const auto dataset = services.datasets.get(request.param("dataset"));
  if (!dataset) return std::unexpected(dataset.error());
  json object = dataset_json(services, *dataset);
  object["files"] = json::array();
  if (dataset->current)
    for (const auto& part : dataset->current->parts)
      object["files"].push_back({{"name", part.name}, {"offset", part.offset}, {"size", part.size}});
  return json_response(object);
}

awaitable<Result<Response>> load(const Services& services, datasets::Order order) {
  const auto before = services.datasets.get(order.name);
  const bool was_there = before && before->current;
  auto loading = services.operations.load(std::move(order));
  auto loaded = co_await std::move(loading);
  if (!loaded) co_return propagate(loaded);
  json body = dataset_json(services, loaded->dataset);
  body["renewed"] = json::array();
  for (const auto& one : loaded->renewed) {
    if (one.error)
      body["warnings"].push_back(
          one.address +
          " does not load with the new generation and goes on with the old one: " + one.error->message);
    else
      body["renewed"].push_back(one.address);
  }
  co_return json_response(body, was_there ? 200 : 201);
}

Result<datasets::Definition> parse_definition(const std::string& body) {
  auto object = parse_object(body, {"from", "every", "watch"});
  if (!object) return propagate(object);
  datasets::Definition definition;
  const auto from = object->find("from");
  const bool paths = from != object->end() && from->is_array() && !from->empty() &&
                     std::ranges::all_of(*from, [](const json& one) { return one.is_string(); });
  if (!paths) return fail(AdminErrc::invalid_body, "from must be a list of paths");
  definition.from = from->get<std::vector<std::string>>();
  if (const auto every = object->find("every"); every != object->end()) {
    const auto duration =
        every->is_string() ? parse_duration(every->get_ref<const std::string&>()) : std::nullopt;
    if (!duration || duration->count() == 0)
      return fail(AdminErrc::invalid_body, "every must be a duration, like \"10m\"");
    definition.every = *duration;
  }
  if (const auto watch = object->find("watch"); watch != object->end()) {
    if (!watch->is_boolean()) return fail(AdminErrc::invalid_body, "watch must be true or false");
    definition.watch = watch->get<bool>();
  }
  return definition;
}

awaitable<Result<Response>> create(const Services& services, Request& request) {
  auto definition = parse_definition(request.body);
  if (!definition) co_return propagate(definition);
  auto order = services.datasets.begin(request.param("dataset"), std::move(*definition));
  if (!order) co_return propagate(order);
  auto loading = load(services, std::move(*order));
  co_return co_await std::move(loading);
}

awaitable<Result<Response>> upload(const Services& services, Request& request) {
  if (request.upload_size == 0)
    co_return fail(datasets::DatasetsErrc::bad_source, "the body is empty: it is the content of the dataset");
  auto order = services.datasets.begin(request.param("dataset"), {}, request.upload);
  if (!order) co_return propagate(order);
  auto loading = load(services, std::move(*order));
  co_return co_await std::move(loading);
}

awaitable<Result<Response>> refresh(const Services& services, Request& request) {
  auto order = services.datasets.begin_again(request.param("dataset"));
  if (!order) co_return propagate(order);
  auto loading = load(services, std::move(*order));
  co_return co_await std::move(loading);
}

Result<Response> remove(const Services& services, Request& request) {
  const std::string& name = request.param("dataset");
  const auto known = services.datasets.get(name);
  if (!known) return std::unexpected(known.error());
  const auto listed_by = users(services.registry, name);
  if (!listed_by.empty() && !request.query_flag("force")) {
    std::string list;
    for (const auto& address : listed_by) list += (list.empty() ? "" : ", ") + address;
    return fail(datasets::DatasetsErrc::in_use,
                "'" + name + "' is listed by " + list + ", which cannot start without it");
  }
  auto removed = services.datasets.remove(name);
  if (!removed) return propagate(removed);
  return Response{.status = 204};
}

}  // namespace

std::vector<Route> dataset_routes(const Services& s) {
  const Answer unreadable{422, "Its source cannot be read; what was loaded before stays in use", "Problem",
                          "application/problem+json"};
  const Answer no_memory{507, "Datasets may not use that much memory together", "Problem",
                         "application/problem+json"};
  const Answer busy{409, "It is being loaded", "Problem", "application/problem+json"};
  return {
      {"GET",
       "/v1/datasets",
       "listDatasets",
       "All datasets, and what they use of memory",
       {{200, "By name", "Datasets"}},
       immediate(list, s)},
      {"GET",
       "/v1/datasets/{dataset}",
       "describeDataset",
       "One dataset, with the files that it was made of",
       {{200, "The dataset", "Dataset"}},
       immediate(describe, s)},
      {"PUT",
       "/v1/datasets/{dataset}",
       "uploadDataset",
       "Make or change a dataset: the body is its content, which the daemon keeps. Answers when functions "
       "that "
       "list it have it",
       {{201, "It is loaded, for the first time", "DatasetLoaded"},
        {200, "It is loaded anew", "DatasetLoaded"},
        busy,
        no_memory},
       with_services(upload, s),
       {},
       BodyKind::upload},
      {"PUT",
       "/v1/datasets/{dataset}/source",
       "createDataset",
       "Make or change a dataset of files of this machine. Needs the admin token, since the daemon reads "
       "them",
       {{201, "It is loaded, for the first time", "DatasetLoaded"},
        {200, "It is loaded anew", "DatasetLoaded"},
        busy,
        unreadable,
        no_memory},
       with_services(create, s),
       {},
       BodyKind::json,
       "DatasetSource"},
      {"POST",
       "/v1/datasets/{dataset}/refresh",
       "refreshDataset",
       "Load a dataset again from its source. Requests that run keep what they have",
       {{200, "It is loaded anew", "DatasetLoaded"}, busy, unreadable, no_memory},
       with_services(refresh, s)},
      {"DELETE",
       "/v1/datasets/{dataset}",
       "deleteDataset",
       "Delete a dataset that no function lists",
       {{204, "It is gone"}, {409, "Functions list it", "Problem", "application/problem+json"}},
       immediate(remove, s),
       {{"force", "boolean", "Also if functions list it, which cannot start without it then"}}},
  };
}

}  // namespace mayfly::admin
