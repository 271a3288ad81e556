#include "registry/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <fstream>
#include <functional>
#include <sstream>

#include "base/temp_folder.h"
#include "registry/error.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// Writes an archive entry by entry, also such as no honest program would.
class Packer {
 public:
  enum class Format { tar, tar_gz, zip };

  Packer(const fs::path& file, Format format) : archive_(archive_write_new()), entry_(archive_entry_new()) {
    if (format == Format::zip) {
      archive_write_set_format_zip(archive_);
    } else {
      archive_write_set_format_pax_restricted(archive_);
      if (format == Format::tar_gz) archive_write_add_filter_gzip(archive_);
    }
    archive_write_open_filename(archive_, file.c_str());
  }
  ~Packer() {
    archive_entry_free(entry_);
    archive_write_close(archive_);
    archive_write_free(archive_);
  }
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;

  void file(const std::string& path, const std::string& content, int mode = 0644) {
    begin(path, AE_IFREG, mode);
    archive_entry_set_size(entry_, static_cast<la_int64_t>(content.size()));
    write();
    archive_write_data(archive_, content.data(), content.size());
  }
  void folder(const std::string& path) {
    begin(path, AE_IFDIR, 0777);
    write();
  }
  void link(const std::string& path, const std::string& target) {
    begin(path, AE_IFLNK, 0777);
    archive_entry_set_symlink(entry_, target.c_str());
    write();
  }
  void hard_link(const std::string& path, const std::string& target) {
    begin(path, AE_IFREG, 0644);
    archive_entry_set_hardlink(entry_, target.c_str());
    write();
  }
  void device(const std::string& path, unsigned type) {
    begin(path, type, 0644);
    archive_entry_set_rdev(entry_, 0x103);
    write();
  }

 private:
  void begin(const std::string& path, unsigned type, int mode) {
    archive_entry_clear(entry_);
    archive_entry_set_pathname(entry_, path.c_str());
    archive_entry_set_filetype(entry_, type);
    archive_entry_set_perm(entry_, static_cast<unsigned>(mode));
    archive_entry_set_size(entry_, 0);
  }
  void write() { EXPECT_GE(archive_write_header(archive_, entry_), ARCHIVE_WARN); }

  archive* archive_;
  archive_entry* entry_;
};

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

class ArchiveTest : public testing::TestWithParam<Packer::Format> {
 protected:
  ArchiveTest() { fs::create_directory(out()); }
  [[nodiscard]] fs::path file() const { return folder_.path() / "in"; }
  [[nodiscard]] fs::path out() const { return folder_.path() / "out"; }
  [[nodiscard]] Error refused(const std::function<void(Packer&)>& pack,
                              const ArchiveLimits& limits = {}) const {
    fs::remove_all(out());
    fs::create_directory(out());
    {
      Packer packer(file(), GetParam());
      pack(packer);
    }
    auto done = unpack(file(), out(), limits);
    EXPECT_FALSE(done);
    // Whatever was wrong, nothing may have been written outside.
    EXPECT_FALSE(fs::exists(folder_.path() / "escaped"));
    return done ? Error{} : done.error();
  }

  TempFolder folder_;
};

std::string format_name(const testing::TestParamInfo<Packer::Format>& of) {
  constexpr std::array<const char*, 3> kNames{"tar", "tar_gz", "zip"};
  return kNames.at(static_cast<std::size_t>(of.param));
}

INSTANTIATE_TEST_SUITE_P(Formats, ArchiveTest,
                         testing::Values(Packer::Format::tar, Packer::Format::tar_gz, Packer::Format::zip),
                         format_name);

TEST_P(ArchiveTest, Unpacks) {
  {
    Packer packer(file(), GetParam());
    packer.folder("./");
    packer.file("./index.js", "export default 1");
    packer.file("lib/deep/a.js", "a");
    packer.file("bin/run", "#!", 04755);
    packer.file("größe.js", "ü");
    packer.link("node_modules/.bin/run", "../../bin/run");
    packer.link("nothing", "missing/file");
    packer.file("__MACOSX/._index.js", "x");
  }
  EXPECT_TRUE(is_archive(text_of(file()).substr(0, 512)));
  auto done = unpack(file(), out());
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(text_of(out() / "index.js"), "export default 1");
  EXPECT_EQ(text_of(out() / "lib/deep/a.js"), "a");
  EXPECT_EQ(text_of(out() / "größe.js"), "ü");
  EXPECT_EQ(text_of(out() / "node_modules/.bin/run"), "#!");
  EXPECT_FALSE(fs::exists(out() / "__MACOSX"));
  struct stat info{};
  ASSERT_EQ(::stat((out() / "bin/run").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0755U);  // executable still, set-user-id no more
}

TEST_P(ArchiveTest, RefusesPathsThatLeaveTheFolder) {
  for (const char* path :
       {"../escaped", "a/../../escaped", "/tmp/escaped-absolute", "a/..", "..", "a\\..\\..\\b"}) {
    const auto error = refused([&](Packer& packer) { packer.file(path, "x"); });
    EXPECT_EQ(error.code, RegistryErrc::unsafe_path) << path;
    EXPECT_FALSE(error.detail("path").empty());
  }
  EXPECT_FALSE(fs::exists("/tmp/escaped-absolute"));
}

TEST_P(ArchiveTest, RefusesLinksThatLeaveTheFolder) {
  const std::vector<std::function<void(Packer&)>> tricks{
      [](Packer& p) { p.link("a", "/etc/passwd"); },
      [](Packer& p) { p.link("a", "../escaped"); },
      [](Packer& p) { p.link("a", ".."); },
      // Each looks harmless alone: a is the folder itself, and b's target has one '..' too many only
      // because of that.
      [](Packer& p) { p.link("d/a", "../."), p.link("b", "d/a/../x"); },
      [](Packer& p) { p.link("a", "b"), p.link("b", "a"); },
      // Through a link that was unpacked before.
      [&](Packer& p) { p.link("a", ".."), p.file("a/escaped", "x"); },
      [&](Packer& p) { p.link("a", folder_.path().string()), p.file("a/escaped", "x"); },
  };
  for (std::size_t i = 0; i < tricks.size(); ++i) {
    const auto error = refused(tricks[i]);
    EXPECT_TRUE(error.code == RegistryErrc::unsafe_path || error.code == RegistryErrc::bad_archive)
        << i << ": " << error.message;
  }
}

TEST_P(ArchiveTest, RefusesTooManyFiles) {
  const auto error = refused(
      [](Packer& packer) {
        for (int i = 0; i < 11; ++i) packer.folder("d" + std::to_string(i));
      },
      {.max_bytes = 1000, .max_files = 10});
  EXPECT_EQ(error.code, RegistryErrc::too_large);
  EXPECT_EQ(error.detail("limit"), "10");
}

TEST_P(ArchiveTest, RefusesTooManyBytesInAll) {
  const auto error = refused(
      [](Packer& packer) {
        packer.file("a", std::string(600, 'x'));
        packer.file("b", std::string(600, 'x'));
      },
      {.max_bytes = 1000});
  EXPECT_EQ(error.code, RegistryErrc::too_large);
  EXPECT_EQ(error.detail("limit"), "1kB");
}

TEST_P(ArchiveTest, RefusesABomb) {
  if (GetParam() == Packer::Format::tar) GTEST_SKIP() << "a tar packs nothing";
  const auto error = refused([](Packer& packer) { packer.file("zeros", std::string(64U << 20U, '\0')); });
  EXPECT_EQ(error.code, RegistryErrc::too_large);
  EXPECT_THAT(error.message, HasSubstr("200 bytes for each packed one"));
  EXPECT_LT(fs::file_size(out() / "zeros"), 32U << 20U);  // it was stopped on the way
}

TEST_P(ArchiveTest, ADamagedOneIsATypedError) {
  {
    Packer packer(file(), GetParam());
    std::string noise;
    for (std::uint32_t i = 0, x = 1; i < 50'000; ++i)
      noise += static_cast<char>((x = x * 1664525 + 1013904223) >> 24U);
    packer.file("index.js", noise);
  }
  fs::resize_file(file(), 30'000);
  const auto done = unpack(file(), out());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, RegistryErrc::bad_archive) << done.error().message;
}

TEST_P(ArchiveTest, OneNameForAFileAndAFolderIsATypedError) {
  const auto error = refused([](Packer& packer) {
    packer.file("a", "x");
    packer.file("a/b", "x");
  });
  EXPECT_EQ(error.code, RegistryErrc::bad_archive);
}

class TarTest : public ArchiveTest {};
INSTANTIATE_TEST_SUITE_P(Formats, TarTest, testing::Values(Packer::Format::tar), format_name);

TEST_P(TarTest, RefusesDevicesAndPipes) {
  for (const unsigned type : {AE_IFCHR, AE_IFBLK, AE_IFIFO}) {
    const auto error = refused([&](Packer& packer) { packer.device("d", type); });
    EXPECT_EQ(error.code, RegistryErrc::unsafe_path);
    EXPECT_THAT(error.message, HasSubstr("device"));
  }
}

TEST_P(TarTest, AHardLinkLeadsToAFileBeforeIt) {
  {
    Packer packer(file(), GetParam());
    packer.file("a", "x");
    packer.hard_link("b", "a");
    packer.file("b", "y");  // replaces the link, and must not write through it
  }
  ASSERT_TRUE(unpack(file(), out()));
  EXPECT_EQ(text_of(out() / "a"), "x");
  EXPECT_EQ(text_of(out() / "b"), "y");
  for (const char* target : {"/etc/passwd", "../escaped", "missing"}) {
    const auto error = refused([&](Packer& packer) { packer.hard_link("b", target); });
    EXPECT_EQ(error.code, RegistryErrc::unsafe_path) << target;
  }
}

TEST(Archive, IsToldFromSourceByItsFirstBytes) {
  EXPECT_FALSE(is_archive(""));
  EXPECT_FALSE(is_archive("export default 1"));
  EXPECT_FALSE(is_archive(std::string(600, 'u')));
  const TempFolder folder;
  std::ofstream(folder.path() / "in") << "export default 1";
  const auto done = unpack(folder.path() / "in", folder.path());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, RegistryErrc::bad_archive);
}

}  // namespace
}  // namespace mayfly::registry
