#include "admin/openapi.h"

namespace mayfly::admin {

namespace {

constexpr std::string_view kSchemas = R"json({
  "UsageRow": {"type": "object", "required": ["invocations", "cpu_s"],
    "description": "Sums. What rows are not kept apart by is left out",
    "properties": {
      "invocations": {"type": "integer"},
      "answered": {"type": "integer"},
      "failed": {"type": "integer"},
      "timed_out": {"type": "integer"},
      "cancelled": {"type": "integer"},
      "rejected": {"type": "integer"},
      "retries": {"type": "integer"},
      "shared": {"type": "integer"},
      "bytes_in": {"type": "integer"},
      "bytes_out": {"type": "integer"},
      "instances_started": {"type": "integer"},
      "peak": {"type": "integer"},
      "wall_s": {"type": "number", "description": "Handlers ran; divided by a length of time: how many at once"},
      "waiting_s": {"type": "number", "description": "Invocations waited until they began"},
      "init_s": {"type": "number", "description": "Of that, for an instance to be made"},
      "cpu_s": {"type": "number", "description": "CPU time of invocations, user and system"},
      "init_cpu_s": {"type": "number", "description": "CPU time until instances served"},
      "idle_cpu_s": {"type": "number", "description": "CPU time of instances and templates beside these"},
      "memory_gib_s": {"type": "number", "description": "Memory that was used × time"},
      "reserved_gib_s": {"type": "number", "description": "Memory that invocations may use × time"},
      "instance_s": {"type": "number", "description": "Instances were there"},
      "busy_s": {"type": "number", "description": "Instances had an invocation in them"},
      "start": {"type": "string", "format": "date-time"}, "function": {"type": "string"}, "version": {"type": "integer"},
      "tenant": {"type": "string", "description": "\"\": none"}, "class": {"enum": ["interactive", "background"]}}},
  "Usage": {"type": "object", "required": ["from", "to", "resolution", "rows"],
    "properties": {
      "from": {"type": "string", "format": "date-time", "description": "The begin of the stretch that the time asked for is in"},
      "to": {"type": "string", "format": "date-time"},
      "resolution": {"enum": ["minute", "hour", "day"]},
      "rows": {"type": "array", "items": {"$ref": "#/components/schemas/UsageRow"}},
      "budgets": {"type": "array", "items": {"$ref": "#/components/schemas/Budget"}}}},
  "Budget": {"type": "object", "required": ["limit", "spent", "state"], "description": "Of a function or of a tenant",
    "properties": {
      "function": {"type": "string"}, "tenant": {"type": "string"},
      "limit": {"type": "number"}, "spent": {"type": "number"},
      "state": {"enum": ["within", "warned", "spent"]},
      "period": {"enum": ["day", "month"]}, "warn": {"type": "number"},
      "then": {"enum": ["warn", "throttle", "stop"]}, "rate": {"type": "string"},
      "resets": {"type": "string", "format": "date-time"}}},
  "UsageRecord": {"type": "object", "required": ["invocation", "function", "version", "outcome"],
    "properties": {
      "invocation": {"$ref": "#/components/schemas/path.invocation"},
      "function": {"type": "string"}, "version": {"type": "integer"}, "tenant": {"type": "string"},
      "class": {"enum": ["interactive", "background"]},
      "started": {"type": "string", "format": "date-time"},
      "outcome": {"enum": ["answered", "failed", "timed-out", "cancelled", "rejected"]},
      "attempt": {"type": "integer", "minimum": 1},
      "shared": {"type": "boolean", "description": "True: others ran in its instance, its CPU time is its part of what they used together"},
      "wall_s": {"type": "number"}, "waiting_s": {"type": "number"}, "init_s": {"type": "number"},
      "cpu_s": {"type": "number"}, "memory_gib_s": {"type": "number"}, "reserved_gib_s": {"type": "number"},
      "bytes_in": {"type": "integer"}, "bytes_out": {"type": "integer"}}},
  "UsageRecords": {"type": "object", "required": ["records"],
    "properties": {"records": {"type": "array", "items": {"$ref": "#/components/schemas/UsageRecord"}}}},
  "Prices": {"type": "object", "required": ["currency"],
    "properties": {
      "currency": {"type": "string"},
      "request": {"type": "number"}, "gib_s": {"type": "number"}, "cpu_s": {"type": "number"},
      "background_cpu_s": {"type": "number"}, "background_gib_s": {"type": "number"}, "kept_gib_s": {"type": "number"}}},
  "BillLine": {"type": "object", "required": ["cost"],
    "properties": {
      "invocations": {"type": "integer"}, "cpu_s": {"type": "number"},
      "reserved_gib_s": {"type": "number"}, "memory_gib_s": {"type": "number"},
      "cost_requests": {"type": "number"}, "cost_memory": {"type": "number"}, "cost_cpu": {"type": "number"},
      "cost": {"type": "number", "description": "The sum of these three, in the currency of the price sheet"},
      "start": {"type": "string", "format": "date-time"}, "function": {"type": "string"}, "version": {"type": "integer"},
      "tenant": {"type": "string", "description": "\"\": none"}, "class": {"enum": ["interactive", "background"]}}},
  "Bill": {"type": "object", "required": ["from", "to", "prices", "lines", "total"],
    "properties": {
      "from": {"type": "string", "format": "date-time"},
      "to": {"type": "string", "format": "date-time"},
      "resolution": {"enum": ["minute", "hour", "day"]},
      "prices": {"$ref": "#/components/schemas/Prices"},
      "lines": {"type": "array", "items": {"$ref": "#/components/schemas/BillLine"}},
      "total": {"type": "number"}}}
})json";

}  // namespace

std::string_view openapi_usage_schemas() { return kSchemas; }

}  // namespace mayfly::admin
