// The addon's exports: what boot.js and its modules call. The interface is described in
// runtimes/node/README.md; this file only translates it.

#include <dlfcn.h>
#include <unistd.h>
#include <uv.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "bridge.h"
#include "bridge/malloc_holes.h"
#include "dataset.h"
#include "fork_check.h"
#include "heap_limit.h"
#include "template/fork_server.h"

namespace mayfly::node {
namespace {

constexpr int kControlFd = 3;  // sandbox::kControlFd: where the runtime process finds its control socket

/// All that one process of the runtime is made of. A fork copies it; each child then takes its own part.
struct Process {
  std::unique_ptr<tmpl::ForkServer> server;
  Fd channel{kControlFd};  // a template's control socket or an instance's data socket
  ForkGuard guard{[](void* self) { static_cast<Process*>(self)->channel.reset(); }, this};
  bridge::LogSender log;
  Bridge* bridge = nullptr;
  ForkCheck fork_check;
  bool in_folder = false;
};

Process& process() {
  static auto* one = new Process;  // never destroyed: the process leaves by _exit
  return *one;
}

tmpl::ForkServer& server() {
  if (!process().server) process().server = std::make_unique<tmpl::ForkServer>(std::move(process().channel));
  return *process().server;
}

napi_value parse_json(napi_env env, const std::string& text) {
  napi_value global = nullptr;
  napi_value json = nullptr;
  napi_value parse = nullptr;
  napi_value argument = nullptr;
  napi_value result = nullptr;
  napi_get_global(env, &global);
  napi_get_named_property(env, global, "JSON", &json);
  napi_get_named_property(env, json, "parse", &parse);
  napi_create_string_utf8(env, text.data(), text.size(), &argument);
  napi_call_function(env, json, parse, 1, &argument, &result);
  return result;
}

/// A template's code, and everything forked from it, runs in its own folder.
void enter_folder(napi_env env, napi_value configuration) {
  if (process().in_folder) return;
  process().in_folder = true;
  napi_value root = nullptr;
  napi_get_named_property(env, configuration, "root", &root);
  const auto folder = utf8(env, root);
  if (!folder.empty() && ::chdir(folder.c_str()) != 0) ::_exit(125);
}

/// Starts libuv's pool of workers with one thread instead of four, since every thread that a template had
/// costs each of its instances the pages of a stack that nobody uses. Instances start pools of their own, of
/// the usual size. libuv asks the environment once, at the pool's first work.
void start_one_worker(napi_env env) {
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  ::setenv("UV_THREADPOOL_SIZE", "1", 1);
  auto* work = new uv_work_t;
  const int error = uv_queue_work(loop, work, [](uv_work_t*) {}, [](uv_work_t* done, int) { delete done; });
  if (error != 0) delete work;
  ::unsetenv("UV_THREADPOOL_SIZE");
}

/// Blocks in the fork server; returns in each child, with the configuration that the daemon gave it.
napi_value fork_server(napi_env env, napi_callback_info) {
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  process().fork_check.remember_baseline();
  bridge::fill_malloc_holes();
  auto child = server().run();
  process().server.reset();
  process().channel = std::move(child.channel);
  process().log.open(std::move(child.log));
  if (uv_loop_fork(loop) != 0) ::_exit(125);
  napi_value configuration = parse_json(env, child.payload);
  napi_value role = nullptr;
  napi_get_named_property(env, configuration, "role", &role);
  if (utf8(env, role) == "template") {  // others are not forked
    process().fork_check.remember_baseline();
    start_one_worker(env);
  }
  enter_folder(env, configuration);
  return configuration;
}

napi_value ready(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  process().log.drain(std::chrono::seconds(1));  // from here on it is frozen
  (void)server().report(wire::ControlType::ready, utf8(env, arguments.values[0]));
  return undefined(env);
}

napi_value failed(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  (void)server().report(wire::ControlType::failed, utf8(env, arguments.values[0]));
  return undefined(env);
}

/// Why this process must not be forked: an array of words for people, empty when nothing stands against it.
napi_value unsafe(napi_env env, napi_callback_info) {
  napi_value result = nullptr;
  napi_create_array(env, &result);
  std::uint32_t i = 0;
  for (const auto& reason : process().fork_check.reasons()) {
    napi_value text = nullptr;
    napi_create_string_utf8(env, reason.data(), reason.size(), &text);
    napi_set_element(env, result, i++, text);
  }
  return result;
}

napi_value serve(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  process().bridge = new Bridge(env, std::move(process().channel), arguments.values[0], process().log);
  return undefined(env);
}

napi_value respond(napi_env env, napi_callback_info info) {
  const Arguments<5> a(env, info);
  process().bridge->respond(a.number(0), a.number(1), a.values[2], a.values[3], a.truth(4));
  return nullptr;
}

napi_value respond_start(napi_env env, napi_callback_info info) {
  const Arguments<3> a(env, info);
  process().bridge->respond_start(a.number(0), a.number(1), a.values[2]);
  return nullptr;
}

napi_value respond_chunk(napi_env env, napi_callback_info info) {
  const Arguments<2> a(env, info);
  napi_value open = nullptr;
  napi_get_boolean(env, process().bridge->respond_chunk(a.number(0), a.values[1]), &open);
  return open;
}

napi_value respond_end(napi_env env, napi_callback_info info) {
  const Arguments<1> a(env, info);
  process().bridge->connection().respond_end(a.number(0));
  return nullptr;
}

napi_value respond_error(napi_env env, napi_callback_info info) {
  const Arguments<4> a(env, info);
  const auto kind = utf8(env, a.values[1]) == "stream" ? wire::ErrorKind::stream : wire::ErrorKind::threw;
  process().bridge->respond_error(a.number(0), kind, a.values[2], a.values[3]);
  return nullptr;
}

napi_value request_credit(napi_env env, napi_callback_info info) {
  const Arguments<2> a(env, info);
  process().bridge->connection().request_credit(a.number(0), a.number(1));
  return nullptr;
}

napi_value done(napi_env env, napi_callback_info info) {
  const Arguments<1> a(env, info);
  process().bridge->connection().done(a.number(0));
  return nullptr;
}

napi_value call(napi_env env, napi_callback_info info) {
  const Arguments<9> a(env, info);  // stream, kind, name, method, target, headers, body, last, event
  return process().bridge->call(a.number(0), a.number(1),
                                {a.values[2], a.values[3], a.values[4], a.values[5], a.values[6]}, a.truth(7),
                                a.truth(8));
}

napi_value call_body(napi_env env, napi_callback_info info) {
  const Arguments<2> a(env, info);
  napi_value open = nullptr;
  napi_get_boolean(env, process().bridge->call_body(a.number(0), a.values[1]), &open);
  return open;
}

napi_value call_end(napi_env env, napi_callback_info info) {
  const Arguments<1> a(env, info);
  process().bridge->connection().calls().end_body(a.number(0));
  return nullptr;
}

napi_value call_credit(napi_env env, napi_callback_info info) {
  const Arguments<2> a(env, info);
  process().bridge->connection().calls().credit(a.number(0), a.number(1));
  return nullptr;
}

napi_value call_abort(napi_env env, napi_callback_info info) {
  const Arguments<1> a(env, info);
  process().bridge->connection().calls().abort(a.number(0));
  return nullptr;
}

wire::LogLevel level_of(std::string_view name) {
  if (name == "debug") return wire::LogLevel::debug;
  if (name == "warn") return wire::LogLevel::warn;
  if (name == "error") return wire::LogLevel::error;
  return wire::LogLevel::info;
}

napi_value log(napi_env env, napi_callback_info info) {
  const Arguments<3> a(env, info);
  std::size_t full = 0;
  napi_get_value_string_utf8(env, a.values[1], nullptr, 0, &full);
  std::string text(std::min(full, wire::kMaxLogText) + 1, '\0');
  std::size_t length = 0;
  napi_get_value_string_utf8(env, a.values[1], text.data(), text.size(), &length);
  text.resize(length);
  const auto level = level_of(utf8(env, a.values[0]));
  const auto full_length = static_cast<std::uint32_t>(std::min<std::size_t>(full, UINT32_MAX));
  if (process().bridge != nullptr)
    process().bridge->connection().log(level, text, full_length, a.number(2));
  else
    process().log.log({level, {}, text, full_length, 0});
  return nullptr;
}

napi_value fatal(napi_env env, napi_callback_info info) {
  const Arguments<3> a(env, info);
  const auto kind = utf8(env, a.values[0]);
  auto message = utf8(env, a.values[1]);
  if (type_of(env, a.values[1]) == napi_number) message = std::to_string(a.number(1));
  const auto fatal_kind = kind == "exit"        ? wire::FatalKind::exit
                          : kind == "rejection" ? wire::FatalKind::rejection
                                                : wire::FatalKind::uncaught;
  if (process().bridge != nullptr)
    process().bridge->connection().fatal(fatal_kind, message, utf8(env, a.values[2]));
  ::_exit(1);
}

napi_value set_heap_limit(napi_env env, napi_callback_info info) {
  const Arguments<1> a(env, info);
  double bytes = 0;
  napi_get_value_double(env, a.values[0], &bytes);
  napi_value done = nullptr;
  napi_get_boolean(env, limit_heap(static_cast<std::size_t>(bytes)), &done);
  return done;
}

napi_value exit(napi_env env, napi_callback_info info) {
  const Arguments<1> a(env, info);
  if (process().bridge != nullptr) process().bridge->connection().drain();
  process().log.drain(std::chrono::seconds(1));
  ::_exit(static_cast<int>(a.number(0)));
}

}  // namespace

NAPI_MODULE_INIT() {
  const std::array functions{std::pair{"forkServer", &fork_server},
                             std::pair{"ready", &ready},
                             std::pair{"failed", &failed},
                             std::pair{"unsafe", &unsafe},
                             std::pair{"mapDataset", &map_dataset},
                             std::pair{"serve", &serve},
                             std::pair{"respond", &respond},
                             std::pair{"respondStart", &respond_start},
                             std::pair{"respondChunk", &respond_chunk},
                             std::pair{"respondEnd", &respond_end},
                             std::pair{"respondError", &respond_error},
                             std::pair{"requestCredit", &request_credit},
                             std::pair{"done", &done},
                             std::pair{"call", &call},
                             std::pair{"callBody", &call_body},
                             std::pair{"callEnd", &call_end},
                             std::pair{"callCredit", &call_credit},
                             std::pair{"callAbort", &call_abort},
                             std::pair{"log", &log},
                             std::pair{"fatal", &fatal},
                             std::pair{"limitHeap", &set_heap_limit},
                             std::pair{"exit", &exit}};
  for (const auto& [name, function] : functions) {
    napi_value value = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
    napi_set_named_property(env, exports, name, value);
  }
  start_one_worker(env);
  return exports;
}

}  // namespace mayfly::node
