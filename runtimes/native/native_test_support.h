// A test in the daemon's place: functions are compiled, loaded by a real native runtime process, forked, and
// spoken to in frames. Header only.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/child.h"
#include "base/temp_folder.h"
#include "wire/control.h"
#include "wire/frame.h"
#include "wire/log_record.h"

namespace mayfly::native {

using nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;
using wire::ControlType;
using wire::FrameType;

inline bool readable(int fd) {
  pollfd p{fd, POLLIN, 0};
  return ::poll(&p, 1, 30'000) == 1;
}

/// The test's end of an instance.
struct Instance {
  Fd data;
  Fd log;
  wire::FrameDecoder decoder{};
  std::string payload{};
  std::string answer{};  ///< body so far
  std::string headers{};
  std::string lines{};  ///< "level invocation text" of log records, and what was written directly

  void send(const wire::Frame& frame) {
    std::string out;
    wire::append_frame(out, frame);
    for (std::string_view rest = out; !rest.empty();) {  // the socket takes a part while the instance is slow
      pollfd p{data.get(), POLLOUT, 0};
      ASSERT_EQ(::poll(&p, 1, 30'000), 1);
      const ssize_t sent = ::send(data.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
      ASSERT_GT(sent, 0);
      rest.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void invoke(std::string_view target = "/", std::string_view body = {}, bool ends = true) {
    std::string head;
    wire::append_invoke_head(head, {~0ULL >> 1U, "0123456789abcdef0123456789abcdef", "10.0.0.1", "https",
                                    "POST", target, std::string_view("x-a\0one\0x-b\0two\0", 16)});
    head.append(body);
    send({FrameType::invoke, ends ? wire::kEnd : std::uint8_t{0}, 1U << wire::kSlotBits, 0, head});
  }
  void body(std::string_view part, bool ends) {
    send({FrameType::body, ends ? wire::kEnd : std::uint8_t{0}, 1U << wire::kSlotBits, 0, part});
  }
  /// The next frame but usage; its type is 0 when the process has ended.
  wire::Frame next() {
    for (;;) {
      const auto frame = decoder.next();
      if (frame && *frame) {
        if ((*frame)->type != FrameType::usage) return **frame;
        continue;
      }
      if (!readable(data.get())) return {};
      const auto [room, size] = decoder.prepare();
      const ssize_t got = ::recv(data.get(), room, size, 0);
      if (got <= 0) return {};
      decoder.commit(static_cast<std::size_t>(got));
    }
  }
  /// Frames until the answer has ended; its status, or 0 and the error in `answer`.
  unsigned finish() {
    unsigned status = 0;
    for (;;) {
      const auto frame = next();
      std::string_view rest = frame.payload;
      if (frame.type == FrameType::response) {
        status = frame.aux;
        headers = wire::parse_response_head(frame.payload, rest).value_or("");
      }
      if (frame.type == FrameType::error || frame.type == FrameType::fatal) {
        answer = frame.payload;
        return 0;
      }
      if (frame.type == wire::FrameType{}) return 0;
      if (frame.type == FrameType::response || frame.type == FrameType::body) {
        answer.append(rest);
        if (frame.has(wire::kEnd)) return status;
        send({FrameType::credit, 0, frame.stream, static_cast<std::uint32_t>(rest.size()), {}});
      }
      if (frame.type == FrameType::done) return status;
    }
  }
  /// Log until there is `text` in it.
  bool logs(const std::string& text) {
    while (lines.find(text) == std::string::npos) {
      if (!readable(log.get())) return false;
      std::string packet(wire::kMaxLogPacket, '\0');
      const ssize_t got = ::recv(log.get(), packet.data(), packet.size(), 0);
      if (got <= 0) return false;
      packet.resize(static_cast<std::size_t>(got));
      std::string_view rest = packet;
      wire::LogRecord record;
      if (static_cast<std::uint8_t>(packet[0]) != wire::kLogMagic)
        lines += packet;
      else
        while (wire::take_log_record(rest, record))
          lines += std::to_string(static_cast<int>(record.level)) + " " +
                   std::string(record.invocation.substr(0, 4)) + " " + std::string(record.text) + "\n";
    }
    return true;
  }
};

class NativeRuntime : public testing::Test {
 protected:
  void SetUp() override {
    auto control = socket_pair(SOCK_SEQPACKET);
    ASSERT_TRUE(control);
    runtime_ = std::move(control->ours);
    auto started = Child::start({.argv = {MAYFLY_NATIVE},
                                 .environment = std::vector<std::string>{"PATH=/usr/bin:/bin"},
                                 .descriptors = {{control->theirs.get(), 3}}});
    ASSERT_TRUE(started) << started.error().message;
    process_ = std::move(*started);
  }

  /// Compiles a source; `flags` as to the compiler.
  void compile(const std::string& source, const std::string& file = "f.cpp") {
    std::ofstream(folder_.path() / file) << source;
    const bool c = file.ends_with(".c");
    const auto built = mayfly::run(
        {c ? "cc" : "c++", c ? "-std=gnu17" : "-std=c++20", "-g", "-fPIC", "-shared", "-Wall", "-Wextra",
         "-Werror", "-fno-omit-frame-pointer", "-I" MAYFLY_NATIVE_INCLUDE, file, "-o", "f.so"},
        {.cwd = folder_.path()});
    if (!built || !built->status.success())
      throw std::runtime_error(built ? built->errors : built.error().message);
  }
  static wire::ControlMessage message(const Fd& socket) {
    EXPECT_TRUE(readable(socket.get()));
    auto got = wire::receive_control(socket.get());
    EXPECT_TRUE(got && *got);
    return got && *got ? std::move(**got) : wire::ControlMessage{};
  }
  /// Asks a fork server for a child that is born with these files, and gives its channel.
  Fd fork(const Fd& server, const json& payload, int kind, Fd& log, const std::vector<Fd>& files = {}) {
    auto channel = socket_pair(kind);
    auto lines = socket_pair(SOCK_SEQPACKET);
    std::vector<int> descriptors{channel->theirs.get(), lines->theirs.get()};
    for (const auto& file : files) descriptors.push_back(file.get());
    EXPECT_TRUE(wire::send_control(server.get(), ControlType::fork, 1, 0, payload.dump(), descriptors));
    EXPECT_EQ(message(server).type, ControlType::forked);
    log = std::move(lines->ours);
    return std::move(channel->ours);
  }
  json payload(const char* role) {
    return {
        {"role", role}, {"root", folder_.path().string()}, {"entry", "f.so"}, {"env", {{"GREETING", "hi"}}}};
  }
  /// Loads f.so in a template; what it reports.
  json load(ControlType expected = ControlType::ready) {
    template_ = fork(runtime_, payload("template"), SOCK_SEQPACKET, template_log_);
    const auto report = message(template_);
    EXPECT_EQ(report.type, expected) << report.payload;
    return json::parse(report.payload, nullptr, false);
  }
  Instance start() {
    Fd log;
    Fd data = fork(template_, {{"role", "instance"}}, SOCK_STREAM, log);
    return {std::move(data), std::move(log)};
  }
  /// How the last instance ended, by the fork server's word.
  int wait_status() {
    const auto exited = message(template_);
    EXPECT_EQ(exited.type, ControlType::exited);
    return static_cast<int>(exited.value);
  }

  TempFolder folder_;
  Fd runtime_;
  Child process_;
  Fd template_;
  Fd template_log_;
};

}  // namespace mayfly::native
