// A server's certificate that can be replaced while it serves.
#pragma once

#include <sys/stat.h>

#include <array>
#include <cstdint>

#include "tls/context.h"

namespace mayfly::tls {

/// Lives on the control thread.
class Certificate {
 public:
  [[nodiscard]] static Result<Certificate> load(CertificateFiles files);

  static constexpr unsigned kLooksBetweenTries = 30;

  /// For new connections. Those that there are keep the one that they were made with.
  [[nodiscard]] const ContextPtr& context() const { return context_; }
  [[nodiscard]] const CertificateFiles& files() const { return files_; }
  /// Whether others than its owner and group can read the key.
  [[nodiscard]] bool key_is_open() const;

  /// Reads the files again. On an error the old ones stay in use.
  [[nodiscard]] Result<void> reload();
  /// Looks whether the files have changed, and reads them again if so: true if there is a new certificate.
  /// What has changed is read when it is the same at the next look, so that neither half a file nor one of
  /// two is taken. An error comes once for each change; what could not be read is tried again at every
  /// kLooksBetweenTries-th look, in case it was not for the files.
  [[nodiscard]] Result<bool> look();

 private:
  /// What tells a file from what it was: device, inode, size, times of its content's change and of any
  /// change, also of who may read it.
  using Stamp = std::array<std::int64_t, 14>;
  Certificate(CertificateFiles files, ContextPtr context, const Stamp& stamp)
      : files_(std::move(files)), context_(std::move(context)), tried_(stamp), seen_(stamp) {}
  [[nodiscard]] static Stamp stamp_of(const CertificateFiles& files);

  CertificateFiles files_;
  ContextPtr context_;
  Stamp tried_;  // of what was read last, whether it was good or not
  Stamp seen_;   // at the last look
  bool failed_ = false;
  unsigned looks_ = 0;  // since then
};

}  // namespace mayfly::tls
