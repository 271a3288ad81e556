#include "intake/pipeline_request.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "base/fields.h"
#include "intake/async_request.h"
#include "intake/checks.h"

namespace mayfly::intake {
namespace {

using nlohmann::json;

}  // namespace

std::optional<PipelinePath> pipeline_path(std::string_view target) {
  if (!target.starts_with(kPipelinesPath)) return std::nullopt;
  auto rest = target.substr(kPipelinesPath.size());
  rest = rest.substr(0, rest.find('?'));
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= rest.size();) {
    const auto end = std::min(rest.find('/', at), rest.size());
    parts.emplace_back(rest.substr(at, end - at));
    if (parts.back().empty()) return std::nullopt;
    at = end + 1;
  }
  if (parts.size() == 1) return PipelinePath{parts[0], {}, {}};
  if (parts.size() < 3 || parts[1] != "runs") return std::nullopt;
  if (parts.size() == 3) return PipelinePath{parts[0], parts[2], {}};
  if (parts.size() != 5 || parts[3] != "events") return std::nullopt;
  return PipelinePath{parts[0], parts[2], parts[4]};
}

void PipelineRequest::on_request(const pool::Invocation& invocation, std::string body) {
  const bool post = invocation.method == "POST";
  auto checked = check_json_body(field_value(invocation.headers, "content-type"), body);
  if (post && !checked) return refuse(std::move(checked.error()));
  if (path_.run.empty()) return post ? start(invocation, std::move(body)) : not_allowed("POST");
  if (!path_.event.empty()) {
    if (!post) return not_allowed("POST");
    return pipelines_.signal(path_.pipeline, path_.run, path_.event, std::move(body),
                             here<void>([this](Result<void> sent) {
                               if (!sent) return refuse(std::move(sent.error()));
                               answer_json(202, json{{"run", path_.run}, {"event", path_.event}}.dump());
                             }));
  }
  if (invocation.method != "GET" && invocation.method != "HEAD") return not_allowed("GET, HEAD");
  pipelines_.show(path_.pipeline, path_.run, pipelines::Detail::everyone,
                  here<json>([this](Result<json> run) {
                    if (!run) return refuse(std::move(run.error()));
                    answer_json(200, run->dump());
                  }));
}

void PipelineRequest::start(const pool::Invocation& invocation, std::string body) {
  const auto key = field_value(invocation.headers, "idempotency-key");
  if (auto checked = check_idempotency_key(key); !checked) return refuse(std::move(checked.error()));
  pipelines_.start_run(path_.pipeline, std::move(body), key_of_caller(key, invocation.headers),
                       here<std::string>([this](Result<std::string> started) {
                         if (!started) return refuse(std::move(started.error()));
                         std::string headers;
                         const auto url = std::string(kPipelinesPath) + path_.pipeline + "/runs/" + *started;
                         append_field(headers, "location", url);
                         const json answer{{"run", *started}, {"pipeline", path_.pipeline}, {"url", url}};
                         answer_json(202, answer.dump(), std::move(headers));
                       }));
}

void PipelineRequest::not_allowed(std::string methods) {
  Error error{IntakeErrc::not_allowed, "this method is not for this path", {}};
  refuse(error.with("allow", std::move(methods)));
}

}  // namespace mayfly::intake
