#include "exec/cgi_environment.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "exec/headers.h"

namespace mayfly::exec {
namespace {

using Variables = std::map<std::string, std::string>;

/// "x-my-header" as "HTTP_X_MY_HEADER"; nothing for a name that would meet another one there ("x_my-header").
std::string variable_of(std::string_view name) {
  std::string result = "HTTP_";
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-') return {};
    result.push_back(c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  }
  return result;
}

void add_headers(Variables& variables, std::string_view headers) {
  std::string_view name;
  std::string_view value;
  while (take_field(headers, name, value)) {
    if (name == "content-type" || name == "content-length") continue;  // have variables of their own
    const auto variable = variable_of(name);
    // A client must not choose the proxy of who reads HTTP_PROXY (CVE-2016-5385, "httpoxy").
    if (variable.empty() || variable == "HTTP_PROXY") continue;
    const auto [place, is_new] = variables.emplace(variable, value);
    if (!is_new) place->second.append(name == "cookie" ? "; " : ", ").append(value);
  }
}

/// What stands in the places of a route's placeholders: "/users/:id" gives MAYFLY_PARAMETER_ID.
void add_parameters(Variables& variables, std::string_view query) {
  std::string name;
  std::string value;
  while (take_pair(query, name, value)) {
    std::string variable = "MAYFLY_PARAMETER_";
    for (const char c : name)
      variable.push_back(std::isalnum(static_cast<unsigned char>(c)) == 0
                             ? '_'
                             : static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
    variables.insert_or_assign(variable, value);
  }
}

/// "example.org:8080" in its two parts; brackets of an IPv6 address stay.
void add_host(Variables& variables, std::string_view host, std::string_view scheme) {
  const auto colon = host.rfind(':');
  const bool has_port = colon != std::string_view::npos && !host.substr(colon).contains(']');
  variables["SERVER_NAME"] =
      host.empty() ? "localhost" : std::string(host.substr(0, has_port ? colon : host.size()));
  const auto port = has_port ? host.substr(colon + 1) : std::string_view{};
  variables["SERVER_PORT"] = !port.empty() ? std::string(port) : scheme == "https" ? "443" : "80";
}

}  // namespace

Variables base_environment(const Configuration& configuration) {
  Variables variables;
  for (const char* name : {"PATH", "TZ", "LANG", "LC_ALL"})
    if (const char* value = std::getenv(name)) variables[name] = value;
  variables.try_emplace("PATH", "/usr/local/bin:/usr/bin:/bin");
  for (const auto& [name, value] : configuration.env) variables[name] = value;
  for (const auto& [name, path] : configuration.datasets) variables[name] = path;
  return variables;
}

std::vector<std::string> as_strings(const Variables& variables) {
  std::vector<std::string> result;
  result.reserve(variables.size());
  for (const auto& [name, value] : variables)
    if (!name.contains('\0') && !value.contains('\0')) result.push_back(name + "=" + value);
  return result;
}

std::vector<std::string> cgi_environment(const Configuration& configuration, const bridge::Request& request) {
  const auto& head = request.head;
  const auto question = head.target.find('?');
  const auto path = head.target.substr(0, question);
  const auto query =
      question == std::string_view::npos ? std::string_view{} : head.target.substr(question + 1);
  // Functions below /NAME see the rest of the path; the name is their "script".
  const auto script = bridge::header_value(head.headers, "x-forwarded-prefix");
  const auto path_info = percent_decode(path, false);
  if (path_info.contains('\0')) return {};

  Variables variables;
  add_headers(variables, head.headers);
  for (auto& [name, value] : base_environment(configuration)) variables[name] = std::move(value);
  variables["GATEWAY_INTERFACE"] = "CGI/1.1";
  variables["SERVER_PROTOCOL"] = "HTTP/1.1";
  variables["SERVER_SOFTWARE"] = "mayfly";
  variables["REQUEST_METHOD"] = head.method;
  variables["SCRIPT_NAME"] = script;
  variables["SCRIPT_FILENAME"] = configuration.executable();
  variables["PATH_INFO"] = path_info;
  variables["QUERY_STRING"] = query;
  variables["REQUEST_URI"] = std::string(script) + std::string(head.target);
  variables["REMOTE_ADDR"] = head.remote;
  add_host(variables, bridge::header_value(head.headers, "host"), head.scheme);
  if (head.scheme == "https") variables["HTTPS"] = "on";
  variables["CONTENT_TYPE"] = bridge::header_value(head.headers, "content-type");
  auto length = std::string(bridge::header_value(head.headers, "content-length"));
  // Of a body that comes in chunks the length is known if all of it is there.
  if (length.empty() && !request.more && !request.body.empty()) length = std::to_string(request.body.size());
  variables["CONTENT_LENGTH"] = length;
  variables["MAYFLY_INVOCATION"] = head.invocation;
  const auto offset = bridge::epoch_offset(bridge::monotonic_now());
  variables["MAYFLY_DEADLINE"] =
      std::to_string((static_cast<std::int64_t>(head.deadline) + offset) / 1'000'000);
  add_parameters(variables, bridge::header_value(head.headers, "mayfly-path-parameters"));
  if (request.event) variables["MAYFLY_EVENT"] = "1";
  return as_strings(variables);
}

void set_length(std::vector<std::string>& environment, std::size_t bytes) {
  const auto variable = std::ranges::find(environment, "CONTENT_LENGTH=");
  if (variable != environment.end()) *variable += std::to_string(bytes);
}

}  // namespace mayfly::exec
