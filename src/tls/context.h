// What TLS is spoken here: versions, ciphers, certificates (OpenSSL).
#pragma once

#include <openssl/ssl.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"

namespace mayfly::tls {

enum class TlsErrc {
  bad_certificate = 1,  ///< the file cannot be read, or holds none
  bad_key,              ///< likewise; or it belongs to another certificate
  bad_authorities,      ///< certificates of authorities that cannot be read
  failed,               ///< OpenSSL itself
};
[[nodiscard]] std::error_code make_error_code(TlsErrc code);

/// Shared by the connections that were made with it. OpenSSL counts, and locks where it must.
using ContextPtr = std::shared_ptr<SSL_CTX>;

struct CertificateFiles {
  std::filesystem::path certificate;  ///< PEM: the server's own first, then those that lead to the root
  std::filesystem::path key;          ///< PEM, without a password
};

/// A server: TLS 1.2 and 1.3, ciphers with forward secrecy and authenticated encryption alone, no
/// renegotiation, no compression, ALPN http/1.1 (a client that offers only others is refused, RFC 7301).
[[nodiscard]] Result<ContextPtr> server_context(const CertificateFiles& files);

/// A client that believes the system's authorities, or those of a PEM file alone.
[[nodiscard]] Result<ContextPtr> client_context(const std::filesystem::path& authorities);

/// A connection that a client begins to `host`, whose name (or address) the certificate must have.
[[nodiscard]] SSL* client_connection(const ContextPtr& context, const std::string& host);

/// Why OpenSSL refused last, in its words; empties its queue.
[[nodiscard]] std::string last_error();

}  // namespace mayfly::tls

template <>
struct std::is_error_code_enum<mayfly::tls::TlsErrc> : std::true_type {};
