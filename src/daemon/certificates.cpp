#include "daemon/certificates.h"

#include <spdlog/spdlog.h>

#include <csignal>

namespace mayfly::daemon {
namespace {

/// What has changed is in use after two looks.
constexpr auto kBetweenLooks = std::chrono::seconds(2);

Result<void> load_one(std::optional<tls::Certificate>& certificate, const cli::TlsFiles& files) {
  if (files.certificate.empty()) return {};
  auto loaded = tls::Certificate::load({files.certificate, files.key});
  if (!loaded) return propagate(loaded);
  certificate.emplace(std::move(*loaded));
  if (certificate->key_is_open())
    spdlog::warn("everyone on this machine can read the key {}: chmod o-r", files.key.string());
  return {};
}

void say(const tls::Certificate& certificate, const Result<bool>& changed) {
  const auto file = certificate.files().certificate.string();
  if (!changed)
    spdlog::error("the certificate stays as it was: {}", changed.error().message);
  else if (*changed)
    spdlog::info("the certificate {} was read again", file);
}

Result<bool> reload(tls::Certificate& certificate) {
  auto done = certificate.reload();
  if (!done) return propagate(done);
  return true;
}

}  // namespace

Result<void> Certificates::load(const cli::ServeOptions& options) {
  if (auto loaded = load_one(data_, options.tls); !loaded) return loaded;
  return load_one(admin_, options.admin_tls);
}

void Certificates::watch() {
  if (!data_ && !admin_) return;
  boost::system::error_code ignored;
  hangup_.add(SIGHUP, ignored);
  on_hangup();
  look_later();
}

void Certificates::on_hangup() {
  hangup_.async_wait([this](const boost::system::error_code& error, int) {
    if (error) return;
    for (auto* one : {&data_, &admin_})
      if (*one) say(**one, reload(**one));
    on_hangup();
  });
}

void Certificates::look_later() {
  timer_.expires_after(kBetweenLooks);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    for (auto* one : {&data_, &admin_})
      if (*one) say(**one, (*one)->look());
    look_later();
  });
}

}  // namespace mayfly::daemon
