#include "tls/certificate.h"

namespace mayfly::tls {

Certificate::Stamp Certificate::stamp_of(const CertificateFiles& files) {
  Stamp stamp{};
  std::size_t at = 0;
  for (const auto* file : {&files.certificate, &files.key}) {
    struct stat info{};
    if (::stat(file->c_str(), &info) != 0) info = {};
    for (const std::int64_t value :
         {static_cast<std::int64_t>(info.st_dev), static_cast<std::int64_t>(info.st_ino),
          static_cast<std::int64_t>(info.st_size), static_cast<std::int64_t>(info.st_mtim.tv_sec),
          static_cast<std::int64_t>(info.st_mtim.tv_nsec), static_cast<std::int64_t>(info.st_ctim.tv_sec),
          static_cast<std::int64_t>(info.st_ctim.tv_nsec)})
      stamp[at++] = value;
  }
  return stamp;
}

Result<Certificate> Certificate::load(CertificateFiles files) {
  const auto stamp = stamp_of(files);
  auto context = server_context(files);
  if (!context) return propagate(context);
  return Certificate(std::move(files), std::move(*context), stamp);
}

bool Certificate::key_is_open() const {
  struct stat info{};
  return ::stat(files_.key.c_str(), &info) == 0 && (info.st_mode & S_IROTH) != 0;
}

Result<void> Certificate::reload() {
  tried_ = seen_ = stamp_of(files_);
  auto context = server_context(files_);
  failed_ = !context;
  looks_ = 0;
  if (!context) return propagate(context);
  context_ = std::move(*context);
  return {};
}

Result<bool> Certificate::look() {
  const auto stamp = stamp_of(files_);
  const bool settled = stamp == seen_;
  seen_ = stamp;
  if (!settled) return false;
  const bool has_changed = stamp != tried_;
  const bool tries_again = failed_ && ++looks_ >= kLooksBetweenTries;
  if (!has_changed && !tries_again) return false;
  auto done = reload();
  if (done) return true;
  if (!has_changed) return false;  // that was told
  return propagate(done);
}

}  // namespace mayfly::tls
