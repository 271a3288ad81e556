#include "tls/context.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <array>
#include <fstream>
#include <string>
#include <string_view>

namespace mayfly::tls {
namespace {

/// The only protocol that is spoken, as ALPN writes it: its length in front.
constexpr std::array<unsigned char, 9> kHttp11{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* length, const unsigned char* offered,
                    unsigned int size, void*) {
  unsigned char* found = nullptr;
  if (::SSL_select_next_proto(&found, length, kHttp11.data(), kHttp11.size(), offered, size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

/// A daemon has nobody to ask for a password.
int no_password(char*, int, int, void*) { return -1; }

Result<ContextPtr> make_context(const SSL_METHOD* method) {
  ContextPtr context(::SSL_CTX_new(method), ::SSL_CTX_free);
  if (!context) return fail(TlsErrc::failed, "TLS: " + last_error());
  auto* raw = context.get();
  if (::SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) != 1 ||
      ::SSL_CTX_set_cipher_list(raw, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1)
    return fail(TlsErrc::failed, "TLS: " + last_error());
  ::SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // Idle connections keep no buffers; what is to be sent may lie elsewhere when it is tried again.
  ::SSL_CTX_set_mode(
      raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

/// The certificate's file holds a key, the key's file a certificate. Only for what an error says.
bool are_swapped(const CertificateFiles& files) {
  const auto has = [](const std::filesystem::path& file, std::string_view what) {
    std::ifstream stream(file);
    std::string line;
    while (std::getline(stream, line))
      if (line.starts_with("-----BEGIN ") && line.contains(what)) return true;
    return false;
  };
  return has(files.certificate, "PRIVATE KEY") && has(files.key, "CERTIFICATE");
}

}  // namespace

std::error_code make_error_code(TlsErrc code) {
  static const SlugCategory<TlsErrc, 4> category(
      "tls", std::array{"bad-certificate", "bad-key", "bad-authorities", "failed"});
  return {static_cast<int>(code), category};
}

std::string last_error() {
  const auto code = ::ERR_peek_error();
  std::array<char, 256> text{};
  ::ERR_error_string_n(code, text.data(), text.size());
  const char* reason = ::ERR_reason_error_string(code);
  ::ERR_clear_error();
  return reason != nullptr ? reason : text.data();
}

Result<ContextPtr> server_context(const CertificateFiles& files) {
  ::ERR_clear_error();
  auto context = make_context(::TLS_server_method());
  if (!context) return context;
  auto* raw = context->get();
  ::SSL_CTX_set_default_passwd_cb(raw, no_password);
  ::SSL_CTX_set_alpn_select_cb(raw, choose_protocol, nullptr);
  // Resumption by tickets alone: a cache would be one for all threads, with a lock.
  ::SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  if (::SSL_CTX_use_certificate_chain_file(raw, files.certificate.c_str()) != 1)
    return fail(
        TlsErrc::bad_certificate,
        "the certificate " + files.certificate.string() + ": " +
            (are_swapped(files) ? "it holds a private key, and the key's file a certificate: they are swapped"
                                : last_error()));
  if (::SSL_CTX_use_PrivateKey_file(raw, files.key.c_str(), SSL_FILETYPE_PEM) == 1 &&
      ::SSL_CTX_check_private_key(raw) == 1)
    return context;
  if (ERR_GET_REASON(::ERR_peek_error()) != X509_R_KEY_VALUES_MISMATCH)
    return fail(TlsErrc::bad_key, "the key " + files.key.string() + ": " + last_error());
  ::ERR_clear_error();
  return fail(TlsErrc::bad_key, "the key " + files.key.string() + " is not that of the certificate " +
                                    files.certificate.string());
}

Result<ContextPtr> client_context(const std::filesystem::path& authorities) {
  ::ERR_clear_error();
  auto context = make_context(::TLS_client_method());
  if (!context) return context;
  auto* raw = context->get();
  ::SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
  if (::SSL_CTX_set_alpn_protos(raw, kHttp11.data(), kHttp11.size()) != 0)
    return fail(TlsErrc::failed, "TLS: " + last_error());
  if (authorities.empty()) {
    if (::SSL_CTX_set_default_verify_paths(raw) != 1)
      return fail(TlsErrc::bad_authorities, "the system's authorities: " + last_error());
  } else if (::SSL_CTX_load_verify_file(raw, authorities.c_str()) != 1) {
    return fail(TlsErrc::bad_authorities, "the authorities in " + authorities.string() + ": " + last_error());
  }
  return context;
}

SSL* client_connection(const ContextPtr& context, const std::string& host) {
  SSL* connection = ::SSL_new(context.get());
  if (connection == nullptr) return nullptr;
  std::array<unsigned char, sizeof(in6_addr)> scratch{};
  const bool address = ::inet_pton(AF_INET, host.c_str(), scratch.data()) == 1 ||
                       ::inet_pton(AF_INET6, host.c_str(), scratch.data()) == 1;
  auto* wanted = ::SSL_get0_param(connection);
  ::X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const bool set =
      address ? ::X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) == 1
              : ::SSL_set1_host(connection, host.c_str()) == 1 &&
                    ::SSL_set_tlsext_host_name(connection, host.c_str()) == 1;  // NOLINT: OpenSSL's macro
  if (set) return connection;
  ::SSL_free(connection);
  return nullptr;
}

}  // namespace mayfly::tls
