// The certificates of the two planes: loaded at the start, looked after while the daemon runs.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <optional>

#include "cli/serve_options.h"
#include "tls/certificate.h"

namespace mayfly::daemon {

/// Lives on the control thread. Does nothing where no plane speaks TLS.
class Certificates {
 public:
  explicit Certificates(boost::asio::io_context& control) : timer_(control), hangup_(control) {}
  Certificates(const Certificates&) = delete;
  Certificates& operator=(const Certificates&) = delete;
  ~Certificates() = default;

  /// Errors say which file is not right.
  [[nodiscard]] Result<void> load(const cli::ServeOptions& options);
  /// From now on: reads them again at SIGHUP, and when the files have changed. What cannot be used is logged,
  /// and what was used before stays.
  void watch();

  /// Null: plain HTTP.
  [[nodiscard]] const tls::Certificate* data() const { return data_ ? &*data_ : nullptr; }
  [[nodiscard]] const tls::Certificate* admin() const { return admin_ ? &*admin_ : nullptr; }

 private:
  void look_later();
  void on_hangup();

  boost::asio::steady_timer timer_;
  boost::asio::signal_set hangup_;
  std::optional<tls::Certificate> data_;
  std::optional<tls::Certificate> admin_;
};

}  // namespace mayfly::daemon
