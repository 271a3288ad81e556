// The verbs, as a user types them, against the admin API with a daemon that has no processes. Used by tests
// alone.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/use_future.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "admin/api_test_support.h"
#include "admin/server.h"
#include "cli/cli.h"
#include "cli/error.h"

namespace mayfly::cli {

namespace asio = boost::asio;

struct Verbs : testing::Test {
  void SetUp() override {
    auto routes = admin::api_routes(daemon.services());
    server = std::make_unique<admin::Server>(
        daemon.context, admin::ServerOptions{.token = "secret", .upload_folder = daemon.folder()},
        std::move(routes));
    port = server->listen({asio::ip::make_address("127.0.0.1"), 0}).value().port();
    thread = std::thread([this] { daemon.context.run(); });
    write("hello.js", "export default { fetch: () => new Response('hello') };\n");
  }
  void TearDown() override {
    asio::co_spawn(daemon.context, server->stop(std::chrono::seconds(0)), asio::use_future).get();
    work.reset();
    thread.join();
  }

  struct Ran {
    int code;
    std::string out;
    std::string err;
  };
  Ran run(std::vector<std::string> words, bool connect = true) {
    if (connect) {
      words.insert(words.end(), {"--admin-url", "127.0.0.1:" + std::to_string(port), "--token", "secret"});
    }
    words.insert(words.begin(), "mayfly");
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code =
        cli_main(static_cast<int>(argv.size()), argv.data(), [this](const ServeOptions& options) {
          served = options;
          return 42;
        });
    return {code, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
  }
  std::string path(const std::string& name) const { return (files.path() / name).string(); }
  void write(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories((files.path() / name).parent_path());
    std::ofstream(files.path() / name) << content;
  }

  TempFolder files;
  admin::FakeDaemon daemon;
  asio::executor_work_guard<asio::io_context::executor_type> work{daemon.context.get_executor()};
  std::unique_ptr<admin::Server> server;
  std::uint16_t port = 0;
  std::thread thread;
  ServeOptions served;
};

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

}  // namespace mayfly::cli
