// Events come from anyone who may publish. The first line is the content type, the second the fields "name:
// value" with a tab between two of them; the rest is the body. What is accepted is an event, and comes back
// from each form.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "cloudevents/http_binding.h"

using namespace mayfly::cloudevents;

namespace {

std::string_view take_until(std::string_view& text, char end) {
  const auto part = text.substr(0, text.find(end));
  text.remove_prefix(std::min(text.size(), part.size() + 1));
  return part;
}

void append_field(std::string& fields, std::string_view name, std::string_view value) {
  if (name.contains('\0') || value.contains('\0')) return;  // no HTTP parser lets these through
  fields.append(name).append(1, '\0').append(value).append(1, '\0');
}

/// The events are the same, but for white space around JSON.
void expect_same(const CloudEvent& event, const Message& message) {
  const auto again = parse_message(message.fields, message.body, {});
  if (!again || again->size() != 1 || again->front().attributes != event.attributes) std::abort();
  if (!has_json_type(event) && again->front().data != event.data) std::abort();
  if (!event.data.contains(again->front().data)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string fields;
  if (const auto type = take_until(text, '\n'); !type.empty()) append_field(fields, "content-type", type);
  for (auto line = take_until(text, '\n'); !line.empty();) {
    auto field = take_until(line, '\t');
    const auto name = take_until(field, ':');
    append_field(fields, name, field.starts_with(' ') ? field.substr(1) : field);
  }
  const auto events =
      parse_message(fields, std::string(text), {.id = "1", .source = "/topics/t", .time = {}});
  if (!events) return 0;
  for (const auto& event : *events) {
    if (!check(event) || from_fields(to_fields(event), event.data) != event) std::abort();
    expect_same(event, to_binary(event));
    expect_same(event, to_structured(event));
  }
  const auto batch = to_batched(*events);
  if (!parse_message(batch.fields, batch.body, {})) std::abort();
  return 0;
}
