#include "tls/certificate.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fstream>

#include "base/temp_folder.h"
#include "tls/context.h"
#include "tls/test_certificate_test_support.h"

namespace mayfly::tls {
namespace {

namespace fs = std::filesystem;

struct CertificateTest : testing::Test {
  CertificateTest() {
    use("first", true, true);
    certificate.emplace(Certificate::load(files).value());
  }
  /// Puts files in place as tools do: by a rename.
  void use(const std::string& name, bool of_certificate, bool of_key) const {
    const auto made = make_certificate(folder.path(), name);
    if (of_certificate) fs::rename(made.certificate, files.certificate);
    if (of_key) fs::rename(made.key, files.key);
  }
  [[nodiscard]] std::string now() const { return name_in(certificate->context()); }

  TempFolder folder;
  CertificateFiles files{folder.path() / "tls.crt", folder.path() / "tls.key"};
  std::optional<Certificate> certificate;
};

TEST_F(CertificateTest, IsReadAgainWhenItHasChangedAndIsTheSameTwice) {
  EXPECT_EQ(certificate->look(), false);
  EXPECT_EQ(certificate->look(), false);
  const auto old = certificate->context();
  use("second", true, true);
  EXPECT_EQ(certificate->look(), false);
  EXPECT_EQ(now(), "first");
  EXPECT_EQ(certificate->look(), true);
  EXPECT_EQ(now(), "second");
  EXPECT_EQ(certificate->look(), false);
  EXPECT_EQ(name_in(old), "first") << "connections that have it keep it";
}

TEST_F(CertificateTest, HalfOfAChangeIsWaitedFor) {
  const auto second = make_certificate(folder.path(), "second");
  fs::rename(second.certificate, files.certificate);
  EXPECT_EQ(certificate->look(), false);
  fs::rename(second.key, files.key);
  EXPECT_EQ(certificate->look(), false);
  EXPECT_EQ(certificate->look(), true);
  EXPECT_EQ(now(), "second");
}

TEST_F(CertificateTest, ABrokenOneLeavesTheOldOneAndIsToldOnce) {
  for (const bool other_key : {true, false}) {
    if (other_key)
      use("stranger", false, true);
    else
      std::ofstream(files.certificate) << "nonsense";
    EXPECT_EQ(certificate->look(), false);
    const auto told = certificate->look();
    ASSERT_FALSE(told);
    EXPECT_EQ(told.error().code, other_key ? TlsErrc::bad_key : TlsErrc::bad_certificate);
    EXPECT_TRUE(told.error().message.contains(files.certificate.string())) << told.error().message;
    EXPECT_EQ(certificate->look(), false) << "once is enough";
    EXPECT_EQ(now(), "first");
  }
  use("third", true, true);
  EXPECT_EQ(certificate->look(), false);
  EXPECT_EQ(certificate->look(), true);
  EXPECT_EQ(now(), "third");
}

/// Changed in another way than its content: its mode, its owner.
bool is_changed(const fs::path& file, const timespec& since) {
  struct stat info{};
  EXPECT_EQ(::stat(file.c_str(), &info), 0);
  return info.st_ctim.tv_sec != since.tv_sec || info.st_ctim.tv_nsec != since.tv_nsec;
}

TEST_F(CertificateTest, AChangeOfWhoMayReadItIsSeen) {
  struct stat before{};
  ASSERT_EQ(::stat(files.key.c_str(), &before), 0);
  while (!is_changed(files.key, before.st_ctim)) ASSERT_EQ(::chmod(files.key.c_str(), before.st_mode), 0);
  EXPECT_EQ(certificate->look(), false);
  EXPECT_EQ(certificate->look(), true);
  EXPECT_EQ(certificate->look(), false);
}

/// Files are there, and cannot be opened.
struct NoDescriptors {
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before);
    const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before); }
  rlimit before{};
};

TEST_F(CertificateTest, WhatCouldNotBeReadIsTriedAgainNowAndThen) {
  use("second", true, true);
  EXPECT_EQ(certificate->look(), false);
  {
    const NoDescriptors none;
    EXPECT_FALSE(certificate->look());
    for (unsigned look = 0; look < 2 * Certificate::kLooksBetweenTries; ++look)
      EXPECT_EQ(certificate->look(), false) << "once is enough";
  }
  EXPECT_EQ(now(), "first");
  for (unsigned look = 1; look < Certificate::kLooksBetweenTries; ++look)
    EXPECT_EQ(certificate->look(), false);
  EXPECT_EQ(certificate->look(), true);
  EXPECT_EQ(now(), "second");
  for (unsigned look = 0; look < 2 * Certificate::kLooksBetweenTries; ++look)
    EXPECT_EQ(certificate->look(), false) << "it is good";
}

TEST_F(CertificateTest, FilesThatAreSwappedAreSaidToBe) {
  const auto swapped = server_context({files.key, files.certificate});
  ASSERT_FALSE(swapped);
  EXPECT_TRUE(swapped.error().message.contains("they are swapped")) << swapped.error().message;
}

TEST_F(CertificateTest, AFileThatIsGoneLeavesTheOldOne) {
  fs::remove(files.key);
  EXPECT_EQ(certificate->look(), false);
  EXPECT_FALSE(certificate->look());
  EXPECT_FALSE(certificate->reload());
  EXPECT_EQ(now(), "first");
}

TEST_F(CertificateTest, IsReadAgainAtOnceWhenItIsAskedFor) {
  use("second", true, true);
  EXPECT_TRUE(certificate->reload());
  EXPECT_EQ(now(), "second");
  EXPECT_EQ(certificate->look(), false);
}

TEST_F(CertificateTest, AKeyThatEveryoneCanReadIsSeen) {
  ::chmod(files.key.c_str(), 0640);
  EXPECT_FALSE(certificate->key_is_open());
  ::chmod(files.key.c_str(), 0644);
  EXPECT_TRUE(certificate->key_is_open());
}

}  // namespace
}  // namespace mayfly::tls
