// What a function prints becomes log lines with the invocation that printed them: stdout and stderr of C, the
// streams of C++, and mayfly_log(). What is written to descriptors 1 and 2 directly reaches the log without
// it.
#pragma once

#include <string>
#include <string_view>

#include "base/fd.h"
#include "wire/log_record.h"

namespace mayfly::native {

/// Replaces stdout, stderr, std::cout, std::cerr and std::clog, once, before any user code.
void capture_output();
/// In a fork that a function has made: text that waits is its parent's to write.
void forget_output();
/// Lines go to this socket from now on.
void send_output_to(Fd log);
/// Lines belong to this invocation from now on; empty: to none. The text must stay until the next call.
void set_output_invocation(std::string_view id);
/// One line. Any thread.
void log_line(wire::LogLevel level, std::string_view text);
/// Ends lines that have no end yet, and sends what waits as far as the socket takes it.
void flush_output();
/// Lines that the socket did not take: the socket, to be watched for writing and resume_output() called then;
/// -1 when nothing waits.
[[nodiscard]] int output_waits_for();
void resume_output();
/// The last lines of a process that dies by a signal, as the invocation's that is under way; without one they
/// are written to descriptor 2. Nothing is allocated or locked. Waits at most a second for room each 64 KiB.
void log_last_lines(std::string_view text);
/// flush_output(), and at most a second of waiting for the daemon to take it. Before the process leaves.
void drain_output();

}  // namespace mayfly::native
