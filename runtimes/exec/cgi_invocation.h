// One invocation in the CGI form: a process that gets the request's body and whose output is the answer.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "bridge/connection.h"
#include "exec/cgi_output.h"
#include "exec/process.h"

namespace mayfly::exec {

class CgiInvocation {
 public:
  /// `ended` is called once, when the slot is free; it may not destroy the invocation at once (Loop::later).
  CgiInvocation(Loop& loop, bridge::Connection& connection, std::uint32_t stream,
                std::function<void(CgiInvocation&)> ended);
  CgiInvocation(const CgiInvocation&) = delete;
  CgiInvocation& operator=(const CgiInvocation&) = delete;
  ~CgiInvocation();

  [[nodiscard]] std::uint32_t stream() const { return stream_; }
  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] pid_t pid() const { return child_.pid(); }

  /// Bytes of a body that are waited for where the client says no length.
  static constexpr std::size_t kMostHeld = 1U << 20U;

  /// Starts the executable: at once, or, where nobody has said how long the body is, when it is whole or
  /// longer than kMostHeld. CONTENT_LENGTH of the environment is then set if it is known. When the executable
  /// cannot be started, that is the answer.
  void start(std::string executable, std::vector<std::string> environment, const bridge::Request& request);
  /// Answers without a process.
  void refuse(std::uint32_t status, std::string_view text);
  void take_body(std::string_view bytes, bool last);
  /// Nobody wants the answer: the process ends now.
  void abort();
  void writable();

 private:
  /// What is started later.
  struct Waiting {
    std::string executable;
    std::vector<std::string> environment;
  };

  void begin(const std::string& executable, std::vector<std::string> environment);
  [[nodiscard]] Result<void> launch(const std::string& executable, std::vector<std::string> environment);
  void hold(std::size_t more);
  void grant(std::size_t consumed);
  void write_input();
  void end_input();
  void read_output();
  void drain_output();
  /// What to do with output, and when the answer's head goes out.
  void take_output(std::string_view bytes, bool end);
  void be_patient();
  void send_head();
  void end_answer();
  void on_exit();
  void finish();
  void succeed();
  void fail(std::string_view message, std::string_view stack, bool answer_is_none = false);

  Loop& loop_;
  bridge::Connection& connection_;
  std::uint32_t stream_;
  std::string id_;
  std::function<void(CgiInvocation&)> ended_;

  Child child_;
  Watch exit_;
  Watch input_;
  Watch output_;
  LoggedStream errors_;

  std::optional<Waiting> waiting_;
  std::size_t granted_ = 0;  // of body_, for which the client has credit already
  std::string body_;         // of the request, on its way to the process
  bool body_ends_ = false;   // nothing follows what is in body_
  bool input_open_ = false;  // the process may still read

  CgiOutput answer_;
  std::string held_;                 // of the answer's body, while its head has not been sent
  std::optional<Loop::Moment> due_;  // the end of patience
  bool head_sent_ = false;
  bool answer_ended_ = false;
  bool output_ended_ = false;
  bool aborted_ = false;
  bool finished_ = false;
  std::optional<ExitStatus> status_;
};

}  // namespace mayfly::exec
