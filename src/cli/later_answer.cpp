#include "cli/later_answer.h"

#include <openssl/evp.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/text.h"
#include "cli/error.h"
#include "cli/event_view.h"

namespace mayfly::cli {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds kFirstPause{10};
constexpr milliseconds kLongestPause{500};

std::string base64(const std::string& bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const auto size =
      ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                        reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

/// Asks until there is an answer (200), or it is known that there will be none.
Result<HttpAnswer> fetch(const DaemonClient& client, const std::string& id, milliseconds patience) {
  const auto until = steady_clock::now() + patience;
  for (auto pause = kFirstPause;; pause = std::min(kLongestPause, pause * 3 / 2)) {
    auto answer = client.send({.target = invocation_target(id, "/result")});
    const auto left = std::chrono::duration_cast<milliseconds>(until - steady_clock::now());
    if (!answer || answer->status != 202 || left <= milliseconds(0)) return answer;
    std::this_thread::sleep_for(std::min(pause, left));
  }
}

Result<int> print(Context& context, const std::string& id, const HttpAnswer& answer, bool quiet) {
  const auto status = parse_integer(answer.header("Mayfly-Status")).value_or(0);
  const std::string state(answer.header("Mayfly-State"));
  const bool good = state == "succeeded" && status < 400;
  if (context.json) {
    json headers = json::array();
    for (const auto& [name, value] : answer.headers) headers.push_back({name, value});
    json result = {{"status", status}, {"headers", std::move(headers)}};
    put_body(result, answer.body);
    const json all = {{"invocation", id}, {"status", state}, {"result", std::move(result)}};
    context.out.line(all.dump(2, ' ', false, json::error_handler_t::replace));
    return good ? kOk : kFailed;
  }
  context.out.write(answer.body);
  if (context.out.is_terminal() && !answer.body.empty() && !answer.body.ends_with('\n'))
    context.out.write("\n");
  if (!quiet)
    context.err.line(context.err.paint(good ? Style::green : Style::red, std::to_string(status)) + "  " +
                     paint_state(context.err, state) + context.err.paint(Style::dim, "  " + id));
  return good ? kOk : kFailed;
}

/// There is no answer: why, if that can be had.
Result<int> print_end(Context& context, const DaemonClient& client, const std::string& id, Error error) {
  const auto problem = json::parse(error.detail("problem"), nullptr, false);
  if (!problem.is_object() || problem.value("type", "") != "urn:mayfly:events:no-result")
    return std::unexpected(std::move(error));
  const auto invocation = client.get(invocation_target(id));
  if (!invocation) return std::unexpected(std::move(error));
  if (context.json)
    context.out.line(invocation->dump(2));
  else
    context.err.write(show_invocation(*invocation, context.err));
  return kFailed;
}

}  // namespace

std::string invocation_target(const std::string& id, const std::string& rest) {
  return "/v1/invocations/" + percent_encode(id) + rest;
}

Result<milliseconds> wait_time(const std::optional<std::string>& timeout) {
  if (!timeout) return milliseconds(kLongestWait);
  const auto time = parse_duration(*timeout);
  if (!time || *time > std::chrono::days(7))
    return fail(CliErrc::usage, "--timeout " + *timeout + ": must be a time such as 30s or 10m, at most 7d");
  return *time;
}

void put_body(json& object, const std::string& body) {
  // Text as JSON can carry it comes back as it was; all else would not.
  if (is_plain_text(body))
    object["body"] = body;
  else
    object["body_base64"] = base64(body);
}

Result<int> print_answer_of(Context& context, const DaemonClient& client, const std::string& id,
                            milliseconds patience, bool quiet) {
  auto answer = [&] {
    const Progress progress(context.err, "waiting for " + id);
    return fetch(client, id, patience);
  }();
  if (!answer) return print_end(context, client, id, std::move(answer.error()));
  if (answer->status != 202) return print(context, id, *answer, quiet);
  const auto state = json::parse(answer->body, nullptr, false);
  if (context.json) context.out.line(state.dump(2));
  return fail(CliErrc::failed,
              (patience > milliseconds(0) ? "it has not ended within " + format_duration(patience)
                                          : std::string("it has not ended yet")) +
                  ", it is " + (state.is_object() ? state.value("status", "on its way") : "on its way") +
                  ": `mayfly invocation result " + id + " --wait` waits for it");
}

}  // namespace mayfly::cli
