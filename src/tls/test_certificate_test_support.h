// Certificates made in a test.
#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "tls/context.h"

namespace mayfly::tls {

/// Writes a certificate for localhost that signs itself, whose name is `name`, and its key.
inline CertificateFiles make_certificate(const std::filesystem::path& folder, const std::string& name) {
  CertificateFiles files{folder / (name + ".crt"), folder / (name + ".key")};
  const std::unique_ptr<EVP_PKEY, decltype(&::EVP_PKEY_free)> key(::EVP_EC_gen("P-256"), ::EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&::X509_free)> made(::X509_new(), ::X509_free);
  ::X509_set_version(made.get(), 2);
  ::ASN1_INTEGER_set(::X509_get_serialNumber(made.get()), 1);
  ::X509_gmtime_adj(::X509_getm_notBefore(made.get()), -3600);
  ::X509_gmtime_adj(::X509_getm_notAfter(made.get()), 3600);
  ::X509_set_pubkey(made.get(), key.get());
  auto* subject = ::X509_get_subject_name(made.get());
  ::X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  ::X509_set_issuer_name(made.get(), subject);
  auto* names = ::X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
  ::X509_add_ext(made.get(), names, -1);
  ::X509_EXTENSION_free(names);
  ::X509_sign(made.get(), key.get(), ::EVP_sha256());
  const std::unique_ptr<std::FILE, decltype(&std::fclose)> certificate(
      std::fopen(files.certificate.c_str(), "w"), std::fclose);
  const std::unique_ptr<std::FILE, decltype(&std::fclose)> secret(std::fopen(files.key.c_str(), "w"),
                                                                  std::fclose);
  EXPECT_EQ(::PEM_write_X509(certificate.get(), made.get()), 1);
  EXPECT_EQ(::PEM_write_PrivateKey(secret.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr), 1);
  return files;
}

/// The name in the certificate of a context.
inline std::string name_in(const ContextPtr& context) {
  std::string name(256, '\0');
  auto* subject = ::X509_get_subject_name(::SSL_CTX_get0_certificate(context.get()));
  const int size =
      ::X509_NAME_get_text_by_NID(subject, NID_commonName, name.data(), static_cast<int>(name.size()));
  return name.substr(0, static_cast<std::size_t>(std::max(size, 0)));
}

}  // namespace mayfly::tls
