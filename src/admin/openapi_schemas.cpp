#include "admin/openapi.h"

namespace mayfly::admin {

namespace {

constexpr std::string_view kSchemas = R"json({
  "path.name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,62}(@[a-z0-9_-]+)?$",
    "description": "A function. Where it is called: also NAME@VERSION or NAME@ALIAS"},
  "path.version": {"type": "integer", "minimum": 1},
  "path.alias": {"type": "string"},
  "path.secret": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "maxLength": 255},
  "Secret": {"type": "object", "required": ["name", "created", "updated", "functions"],
    "properties": {
      "name": {"type": "string"},
      "created": {"type": "string", "format": "date-time"},
      "updated": {"type": "string", "format": "date-time"},
      "functions": {"type": "array", "items": {"type": "string"}, "description": "That list it"}}},
  "Secrets": {"type": "object", "required": ["secrets"],
    "properties": {
      "secrets": {"type": "array", "items": {"$ref": "#/components/schemas/Secret"}},
      "locked": {"type": "string", "description": "Why no value can be read now"}}},
  "SecretSet": {"allOf": [{"$ref": "#/components/schemas/Secret"}], "required": ["renewed"],
    "properties": {
      "renewed": {"type": "array", "items": {"type": "string"},
        "description": "Versions that were loaded and have the new value now"},
      "warnings": {"type": "array", "items": {"type": "string"}}}},
  "path.token": {"type": "string", "description": "A token's name"},
  "Token": {"type": "object", "required": ["name", "scopes", "created"],
    "properties": {
      "name": {"type": "string", "pattern": "^[a-z0-9_-]{1,63}$"},
      "scopes": {"type": "array", "items": {"enum": ["read", "invoke", "deploy"]}},
      "created": {"type": "string", "format": "date-time"},
      "expires": {"type": "string", "format": "date-time", "description": "Absent: never"}}},
  "Tokens": {"type": "object", "required": ["tokens"],
    "properties": {"tokens": {"type": "array", "items": {"$ref": "#/components/schemas/Token"}}}},
  "CreatedToken": {"allOf": [{"$ref": "#/components/schemas/Token"}], "required": ["token"],
    "properties": {"token": {"type": "string", "description": "The token itself; it is kept nowhere"}}},
  "NewToken": {"type": "object", "required": ["name", "scopes"],
    "properties": {
      "name": {"type": "string", "pattern": "^[a-z0-9_-]{1,63}$"},
      "scopes": {"type": "array", "minItems": 1, "items": {"enum": ["read", "invoke", "deploy"]}},
      "expires_in_s": {"type": "integer", "minimum": 1, "description": "Absent: never"}}},
  "path.key": {"type": "string", "description": "A key's name"},
  "Key": {"type": "object", "required": ["name", "functions", "created"],
    "properties": {
      "name": {"type": "string", "pattern": "^[a-z0-9_-]{1,63}$"},
      "functions": {"type": "array", "items": {"type": "string"}, "description": "That it is for; none: all that take keys"},
      "rate": {"type": "string", "examples": ["100/s", "10/s burst 50"],
        "description": "Of its calls to one function. Absent: no limit"},
      "created": {"type": "string", "format": "date-time"},
      "expires": {"type": "string", "format": "date-time", "description": "Absent: never"}}},
  "Keys": {"type": "object", "required": ["keys"],
    "properties": {"keys": {"type": "array", "items": {"$ref": "#/components/schemas/Key"}}}},
  "CreatedKey": {"allOf": [{"$ref": "#/components/schemas/Key"}], "required": ["key"],
    "properties": {"key": {"type": "string", "description": "The key itself; it is kept nowhere"}}},
  "NewKey": {"type": "object", "required": ["name"],
    "properties": {
      "name": {"type": "string", "pattern": "^[a-z0-9_-]{1,63}$"},
      "functions": {"type": "array", "maxItems": 100, "items": {"type": "string"}},
      "rate": {"type": "string"},
      "expires_in_s": {"type": "integer", "minimum": 1, "description": "Absent: never"}}},
  "Version": {"type": "object",
    "required": ["version", "address", "digest", "runtime", "entry", "created", "weight", "aliases"],
    "properties": {
      "version": {"type": "integer", "minimum": 1},
      "address": {"type": "string", "examples": ["hello@3"]},
      "digest": {"type": "string", "description": "sha256 of code and configuration"},
      "runtime": {"enum": ["node", "python", "native", "exec"]},
      "entry": {"type": "string", "description": "The file that holds the handler"},
      "created": {"type": "string", "format": "date-time"},
      "weight": {"type": "integer", "description": "Its share of the traffic, relative to the others'"},
      "aliases": {"type": "array", "items": {"type": "string"}}}},
  "Versions": {"type": "object", "required": ["name", "versions"],
    "properties": {"name": {"type": "string"},
      "versions": {"type": "array", "items": {"$ref": "#/components/schemas/Version"}}}},
  "Deployed": {"allOf": [{"$ref": "#/components/schemas/Version"}], "required": ["name", "url"],
    "properties": {
      "name": {"type": "string"},
      "url": {"type": "string", "format": "uri", "description": "Where the function answers"},
      "warnings": {"type": "array", "items": {"type": "string"}},
      "unchanged": {"type": "boolean", "description": "True: the newest version was the same, none was made"}}},
  "Summary": {"allOf": [{"$ref": "#/components/schemas/Version"}], "required": ["name", "url", "traffic"],
    "description": "The version shown is the one with the most traffic",
    "properties": {
      "name": {"type": "string"},
      "url": {"type": "string", "format": "uri"},
      "versions": {"type": "integer"},
      "routes": {"type": "array", "items": {"type": "string"}},
      "traffic": {"$ref": "#/components/schemas/Traffic"}}},
  "Functions": {"type": "object", "required": ["functions"],
    "properties": {"functions": {"type": "array", "items": {"$ref": "#/components/schemas/Summary"}}}},
  "Function": {"allOf": [{"$ref": "#/components/schemas/Version"}],
    "required": ["name", "url", "config", "versions", "traffic", "aliases", "live"],
    "properties": {
      "name": {"type": "string"},
      "url": {"type": "string", "format": "uri"},
      "config": {"type": "object", "description": "[functions.NAME] of mayfly.toml, defaults filled in"},
      "versions": {"type": "array", "items": {"$ref": "#/components/schemas/Version"}},
      "routes": {"type": "array", "items": {"type": "string"}},
      "traffic": {"$ref": "#/components/schemas/Traffic"},
      "aliases": {"type": "object", "additionalProperties": {"type": "integer"}},
      "live": {"type": "object", "description": "Instances, queue, templates, counts, last failures"}}},
  "Traffic": {"type": "object", "required": ["weights"],
    "properties": {
      "name": {"type": "string", "readOnly": true},
      "weights": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0},
        "examples": [{"3": 90, "4": 10}]},
      "sticky": {"type": "string", "pattern": "^((header|cookie):.+)?$",
        "description": "Requests with the same value of it go to the same version"}}},
  "VersionReference": {"type": "object", "properties": {"version": {"type": "integer", "minimum": 1}}},
  "Aliases": {"type": "object", "required": ["name", "aliases"],
    "properties": {"name": {"type": "string"},
      "aliases": {"type": "object", "additionalProperties": {"type": "integer"}}}},
  "LogLine": {"type": "object",
    "properties": {
      "time": {"type": "string", "format": "date-time"},
      "level": {"enum": ["debug", "info", "warn", "error"]},
      "version": {"type": "integer"},
      "invocation": {"type": "string"},
      "text": {"type": "string"},
      "dropped": {"type": "integer", "description": "So many lines were lost here: the client was too slow"}}},
  "Status": {"type": "object",
    "properties": {
      "version": {"type": "string"},
      "uptime_s": {"type": "number"},
      "data": {"type": "string", "description": "Where functions answer: ADDRESS:PORT"},
      "runtimes": {"type": "array", "items": {"type": "object"}},
      "memory": {"type": "object"}}},
  "Document": {"type": "object"},
  "Problem": {"type": "object", "required": ["type", "title", "status"],
    "properties": {
      "type": {"type": "string", "examples": ["urn:mayfly:registry:unknown-function"]},
      "title": {"type": "string"},
      "status": {"type": "integer"},
      "detail": {"type": "string"},
      "invocation": {"type": "string"},
      "file": {"type": "string"},
      "line": {"type": "integer"},
      "column": {"type": "integer"},
      "stack": {"type": "string"},
      "logs": {"type": "array", "items": {"type": "string"}}},
    "additionalProperties": true}
})json";

}  // namespace

std::string_view openapi_schemas() { return kSchemas; }

}  // namespace mayfly::admin
