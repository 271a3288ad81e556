#include "exec/lambda_records.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>
#include <regex>

#include "cloudevents/raw_json.h"

namespace mayfly::exec {
namespace {

using cloudevents::json_text;
using cloudevents::members_of;
using cloudevents::text_of;
using nlohmann::json;

std::unexpected<Error> wrong(std::string message) {
  return fail(std::make_error_code(std::errc::invalid_argument), std::move(message));
}

/// Nothing if there is none of this name.
std::string_view member(std::string_view object, std::string_view name) {
  std::string_view value;
  for (const auto& one : members_of(object))
    if (one.name == name) value = one.value;
  return value;
}

std::string text_member(std::string_view object, std::string_view name) {
  const auto value = member(object, name);
  return value.starts_with('"') ? text_of(value) : std::string(value);
}

/// "2026-12-01T10:00:00.000Z" in milliseconds since 1970; anything else stays.
std::string milliseconds_of(const std::string& timestamp) {
  std::tm utc{};
  const char* rest = ::strptime(timestamp.c_str(), "%Y-%m-%dT%H:%M:%S", &utc);
  if (rest == nullptr || *rest != '.') return timestamp;
  const auto millis = std::strtol(rest + 1, nullptr, 10);
  return std::to_string((static_cast<std::int64_t>(::timegm(&utc)) * 1000) + millis);
}

/// An event that says nothing of its data's type has JSON.
bool is_json_type(std::string_view attributes) {
  static const std::regex kJson("^[^;]*[/+]json\\s*(;.*)?$", std::regex::icase | std::regex::optimize);
  const auto type = text_member(attributes, "datacontenttype").substr(0, 200);
  return type.empty() || std::regex_match(type, kJson);
}

/// Data as the text that it was sent as; of bytes their Base64.
std::string body_of(std::string_view message, std::string_view attributes) {
  if (const auto bytes = member(message, "data_base64"); !bytes.empty()) return text_of(bytes);
  const auto data = member(message, "data");
  return data.starts_with('"') && !is_json_type(attributes) ? text_of(data) : std::string(data);
}

std::string message_attributes(std::string_view attributes) {
  std::string all = "{";
  for (const auto& [name, value] : members_of(attributes)) {
    if (all.size() > 1) all += ',';
    const auto text = value.starts_with('"') ? text_of(value) : std::string(value);
    all += json_text(name) + R"(:{"stringValue":)" + json_text(text) + R"(,"dataType":"String"})";
  }
  return all + "}";
}

std::string record_of(std::string_view message, const std::string& id, const std::string& source) {
  const auto attributes = member(message, "attributes");
  const auto name = json_text(id);
  std::string record = R"({"messageId":)" + name + R"(,"receiptHandle":)" + name;
  record += R"(,"body":)" + json_text(body_of(message, attributes));
  record += R"(,"attributes":{"ApproximateReceiveCount":)" + json_text(text_member(message, "attempts"));
  record += R"(,"SentTimestamp":)" + json_text(milliseconds_of(text_member(message, "timestamp")));
  record += R"(},"messageAttributes":)" + message_attributes(attributes);
  record += R"(,"eventSource":"mayfly:queue","eventSourceARN":)" + source;
  if (!member(message, "data_base64").empty()) record += R"(,"isBase64Encoded":true)";
  return record + "}";
}

}  // namespace

Result<LambdaRecords> records_of(std::string_view batch) {
  if (!cloudevents::is_json(batch)) return wrong("what the queue delivered is not JSON");
  const auto source = json_text("mayfly:topic:" + text_member(batch, "queue"));
  LambdaRecords records{R"({"Records":[)", {}};
  for (const auto message : cloudevents::elements_of(member(batch, "messages"))) {
    const auto& id = records.ids.emplace_back(text_member(message, "id"));
    if (records.ids.size() > 1) records.event += ',';
    records.event += record_of(message, id, source);
  }
  if (records.ids.empty()) return wrong("what the queue delivered has no messages");
  records.event += "]}";
  return records;
}

Result<std::string> batch_answer(std::string_view returned, const std::vector<std::string>& ids) {
  const auto result = json::parse(returned, nullptr, false);
  const auto failures = result.is_object() ? result.value("batchItemFailures", json()) : json();
  if (failures.is_null()) return "{}";
  if (!failures.is_array()) return wrong("batchItemFailures must be a list of {itemIdentifier}");
  std::vector<std::string> named;
  for (const auto& failure : failures) {
    const auto id = failure.is_object() ? failure.value("itemIdentifier", json()) : json();
    if (!id.is_string() || std::ranges::find(ids, id.get_ref<const std::string&>()) == ids.end())
      return wrong("batchItemFailures has the itemIdentifier " +
                   (id.is_string() ? json_text(id.get_ref<const std::string&>()) : id.type_name()) +
                   ", which is no messageId of this batch");
    if (std::ranges::find(named, id.get<std::string>()) == named.end())
      named.push_back(id.get<std::string>());
  }
  if (named.empty()) return "{}";
  std::string retry;
  for (const auto& id : named)
    retry.append(retry.empty() ? "" : ",").append(R"({"id":)").append(json_text(id)).append("}");
  return R"({"retry":[)" + retry + "]}";
}

Result<std::string> scheduled_event(std::string_view delivered, std::string_view invocation) {
  if (!cloudevents::is_json(delivered) || members_of(delivered).empty())
    return wrong("what the schedule delivered is not a JSON object");
  const auto detail = member(delivered, "payload");
  std::string event = R"({"version":"0","id":)" + json_text(invocation);
  event += R"(,"source":"mayfly.schedule","detail-type":"Scheduled Event","time":)";
  event += json_text(text_member(delivered, "time"));
  event += R"(,"resources":[)" + json_text(text_member(delivered, "schedule"));
  event += R"(],"detail":)";
  event += detail.empty() ? "{}" : std::string(detail);
  return event + "}";
}

}  // namespace mayfly::exec
