#include "output.h"

#include <poll.h>
#include <pthread.h>
#include <stdio_ext.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <iostream>
#include <span>
#include <streambuf>
#include <utility>

#include "bridge/log_sender.h"

namespace mayfly::native {
namespace {

using wire::LogLevel;

/// Where lines go. A function's threads print as well.
struct Sink {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  bridge::LogSender sender;
  std::string_view invocation;

  void line(LogLevel level, std::string_view text) {
    const auto full = static_cast<std::uint32_t>(text.size());
    sender.log({level, invocation, text.substr(0, wire::kMaxLogText), full, 0});
  }
};

Sink& sink() {
  static auto* one = new Sink;  // never destroyed: static destructors of a function print, too
  return *one;
}

class Locked {
 public:
  Locked() { ::pthread_mutex_lock(&sink().mutex); }
  ~Locked() { ::pthread_mutex_unlock(&sink().mutex); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;
};

/// One stream's text, until its line ends.
struct Lines {
  LogLevel level;
  std::string begun{};

  void add(std::string_view text) {
    for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
      begun.append(text.substr(0, end));
      sink().line(level, begun);
      begun.clear();
      text.remove_prefix(end + 1);
    }
    begun.append(text);
    if (begun.size() >= wire::kMaxLogText) end();
  }
  void end() {
    if (!begun.empty()) sink().line(level, begun);
    begun.clear();
  }
};

Lines& lines_of(LogLevel level) {
  static auto* out = new Lines{LogLevel::info};
  static auto* err = new Lines{LogLevel::error};
  return level == LogLevel::error ? *err : *out;
}

/// The C++ streams: unbuffered, so that their text keeps its order with that of C.
class Buffer final : public std::streambuf {
 public:
  explicit Buffer(Lines& lines) : lines_(lines) {}

 protected:
  int_type overflow(int_type c) override {
    if (traits_type::eq_int_type(c, traits_type::eof())) return traits_type::not_eof(c);
    const char one = traits_type::to_char_type(c);
    xsputn(&one, 1);
    return c;
  }
  std::streamsize xsputn(const char* text, std::streamsize size) override {
    const Locked locked;
    lines_.add({text, static_cast<std::size_t>(size)});
    return size;
  }

 private:
  Lines& lines_;
};

ssize_t write_lines(void* lines, const char* text, std::size_t size) {
  const Locked locked;
  static_cast<Lines*>(lines)->add({text, size});
  return static_cast<ssize_t>(size);
}

std::FILE* stream_of(Lines& lines) {
  std::FILE* file = ::fopencookie(&lines, "w", {nullptr, &write_lines, nullptr, nullptr});
  if (file != nullptr) std::setvbuf(file, nullptr, _IOLBF, BUFSIZ);
  return file;
}

}  // namespace

void capture_output() {
  // glibc lets both be assigned (stdio.h), and a program's copy is everyone's.
  if (std::FILE* file = stream_of(lines_of(LogLevel::info))) stdout = file;
  if (std::FILE* file = stream_of(lines_of(LogLevel::error))) stderr = file;
  static auto* out = new Buffer(lines_of(LogLevel::info));
  static auto* err = new Buffer(lines_of(LogLevel::error));
  std::cout.rdbuf(out);
  std::cerr.rdbuf(err);
  std::clog.rdbuf(err);
}

void forget_output() {
  // What is not there is not touched: this runs in instances too, where each page written is one more.
  for (std::FILE* file : {stdout, stderr})
    if (::__fpending(file) > 0) ::__fpurge(file);
  for (const LogLevel level : {LogLevel::info, LogLevel::error})
    if (auto& begun = lines_of(level).begun; !begun.empty()) begun.clear();
  sink().sender.forget();
  sink().mutex = PTHREAD_MUTEX_INITIALIZER;  // another thread of the parent may have had it
}

void send_output_to(Fd log) {
  const Locked locked;
  sink().sender.open(std::move(log));
}

void set_output_invocation(std::string_view id) {
  const Locked locked;
  sink().invocation = id;
}

void log_line(LogLevel level, std::string_view text) {
  const Locked locked;
  sink().line(level, text);
}

void flush_output() {
  std::fflush(stdout);
  std::fflush(stderr);
  const Locked locked;
  lines_of(LogLevel::info).end();
  lines_of(LogLevel::error).end();
  sink().sender.flush();
}

int output_waits_for() {
  const Locked locked;
  return sink().sender.waiting() ? sink().sender.fd() : -1;
}

void resume_output() {
  const Locked locked;
  sink().sender.flush();
}

void log_last_lines(std::string_view text) {
  // Unlocked: who has the mutex may be the one that crashed, and the text that `invocation` views stays.
  const auto& [mutex, sender, invocation] = sink();
  if (invocation.empty()) return void(!::write(2, text.data(), text.size()));
  static std::array<char, wire::kMaxLogPacket> packet;
  std::size_t size = 0;
  const auto send = [&] {
    pollfd writable{sender.fd(), POLLOUT, 0};
    ::poll(&writable, 1, 1'000);
    ::send(sender.fd(), packet.data(), std::exchange(size, 0), MSG_DONTWAIT | MSG_NOSIGNAL);
  };
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const wire::LogRecord record{LogLevel::error, invocation, line, 0, 0};
    auto used = wire::put_log_record(std::span(packet).subspan(size), record);
    if (used == 0) {
      send();
      used = wire::put_log_record(packet, record);
    }
    size += used;
  }
  if (size > 0) send();
}

void drain_output() {
  flush_output();
  const Locked locked;
  sink().sender.drain(std::chrono::seconds(1));
}

}  // namespace mayfly::native
