#include "registry/requirements.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/temp_folder.h"
#include "registry/error.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;

struct RequirementsTest : testing::Test {
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((folder.path() / name).parent_path());
    std::ofstream(folder.path() / name) << text;
  }
  [[nodiscard]] Result<Requirements> read(const std::string& entry = "main.py") const {
    return read_requirements(folder.path(), entry);
  }
  TempFolder folder;
};

TEST_F(RequirementsTest, NothingIsAskedForWithoutFilesOrLines) {
  EXPECT_FALSE(read()->any);
  write("requirements.txt", "\n# none yet\n  \n");
  EXPECT_FALSE(read()->any);
}

TEST_F(RequirementsTest, IncludedFilesArePartOfWhatItDependsOn) {
  write("requirements.txt", "flask==3.1.3\n-r more/base.txt\n--constraint=pins.txt\n");
  write("more/base.txt", "click\r\n-r ../requirements.txt\n");
  write("pins.txt", "click==8.1.7\n");
  const auto before = read();
  ASSERT_TRUE(before) << before.error().message;
  EXPECT_TRUE(before->any);
  EXPECT_TRUE(before->plain());
  EXPECT_FALSE(before->local);
  EXPECT_TRUE(before->text.contains("click==8.1.7")) << before->text;
  write("pins.txt", "click==8.1.8\n");
  EXPECT_NE(read()->text, before->text);
}

TEST_F(RequirementsTest, AFileThatIsMissingOrOutsideIsNamed) {
  write("requirements.txt", "-r missing.txt\n");
  EXPECT_EQ(read().error().code, RegistryErrc::bad_config);
  EXPECT_TRUE(read().error().message.contains("missing.txt"));
  write("requirements.txt", "-r ../../secrets.txt\n");
  EXPECT_TRUE(read().error().message.contains("outside"));
}

TEST_F(RequirementsTest, PackagesOfTheSourceAreNoticed) {
  for (const char* line :
       {"-e .", "./lib", "lib @ file:lib", "--editable ./lib", "lib/one-1-py3-none-any.whl",
        "one-1-py3-none-any.whl", "One-1.tar.GZ[extra] ; python_version > '3'", "lib/one", "-f wheels",
        "--find-links=./wheels", "--index-url simple", "lib @ FILE:///opt/lib", "--edit lib"}) {
    write("requirements.txt", std::string(line) + "\n");
    EXPECT_TRUE(read()->local) << line;
  }
}

TEST_F(RequirementsTest, WhatCouldRunCodeOrComeFromElsewhereIsNotPlain) {
  for (const char* line :
       {"six --no-binary :all:", "--no-binary=:all:", "--no-bin :all:", "--index-url https://example.org",
        "-ihttps://example.org", "six @ https://example.org/six.whl", "git+https://example.org/six",
        "six \\\n--no-binary :all:", "--trusted-host example.org", "six --global-option=x"}) {
    write("requirements.txt", std::string("flask\n") + line + "\n");
    ASSERT_TRUE(read()) << line;
    EXPECT_FALSE(read()->plain()) << line;
  }
}

TEST_F(RequirementsTest, WhatPipCouldReadAsOtherLinesIsRefused) {
  for (const std::string text : {"# a\x0b--no-binary :all:\n", "six # \xe2\x80\xa8--no-binary=six\n",
                                 "# coding: utf-7\ntorch==2.0+AAo-\n", "\xff\xfes\0i\0x\0",
                                 "six # \xc2\x85-e .", "six\r--no-binary=six\n"}) {
    write("requirements.txt", text);
    EXPECT_FALSE(read()) << text;
  }
}

TEST_F(RequirementsTest, NoVariableOfTheServerIsGiven) {
  write("requirements.txt", "--index-url https://example.org/${PIP_INDEX_URL}\n");
  EXPECT_EQ(read().error().code, RegistryErrc::bad_config);
  write("requirements.txt", "six  # not ${HOME}\n");
  EXPECT_TRUE(read()->plain());
}

TEST_F(RequirementsTest, PyprojectNamesPackagesAndNoOptions) {
  for (const char* list : {R"(["--no-binary=:all:"])", R"(["six\n--no-binary=:all:"])", R"(["-e ."])"}) {
    write("pyproject.toml", std::string("[project]\ndependencies = ") + list);
    EXPECT_FALSE(read()) << list;
  }
  write("pyproject.toml", "[project]\ndependencies = ['six @ https://example.org/six.tar.gz']");
  EXPECT_FALSE(read()->plain());
}

TEST_F(RequirementsTest, WhatPyprojectSaysInAnotherWayIsNotPassedOver) {
  write("pyproject.toml", "[project]\ndependencies = 'flask'\n");
  EXPECT_EQ(read().error().message, "[project] dependencies is not a list");
  write("pyproject.toml", "[project]\ndynamic = ['version', 'dependencies']\n");
  EXPECT_TRUE(read()->warning.contains("are dynamic"));
  write("pyproject.toml", "[project]\ndependencies = ['flask==3.0.0']\n");
  EXPECT_EQ(read()->warning, "");
  write("pyproject.toml", "[project]\ndependencies = ['flask']\n");
  EXPECT_EQ(read()->not_fixed, "flask");
  write("pyproject.toml", "[project]\ndependencies = ['a==1.0; python_version>=\"3\"', 'b==2.*']\n");
  EXPECT_EQ(read()->not_fixed, "b==2.*");
  write("pyproject.toml", "[project]\ndependencies = ['a; sys_platform == \"linux\"']\n");
  EXPECT_NE(read()->not_fixed, "");
  write("uv.lock", "");
  EXPECT_TRUE(read().error().message.contains("uv export"));
  write("requirements.txt", "flask==3.0.0\n");
  EXPECT_TRUE(read()) << "it counts before";
}

TEST_F(RequirementsTest, SetupPyAloneIsNamed) {
  write("setup.py", "");
  EXPECT_TRUE(read()->warning.contains("setup.py is not run"));
  write("pyproject.toml", "[project]\ndependencies = ['flask==3.0.0']\n");
  EXPECT_EQ(read()->warning, "");
}

TEST_F(RequirementsTest, NoTwoListsOfFilesGiveTheSameText) {
  write("requirements.txt", "-r other.txt\n");
  write("other.txt", "six==1.0\n# other.txt\n");
  const auto one = read()->text;
  write("requirements.txt", "-r other.txt\n\n# other.txt\nsix==1.0");
  write("other.txt", "");
  EXPECT_NE(read()->text, one) << "with headings alone they are the same";
}

TEST_F(RequirementsTest, APipfileIsNotPassedOver) {
  write("Pipfile", "[packages]\nflask = '*'\n");
  EXPECT_TRUE(read().error().message.contains("pipenv requirements"));
  write("pyproject.toml", "[tool.black]\nline-length = 100\n");
  EXPECT_TRUE(read().error().message.contains("pipenv requirements")) << "that is not about packages";
  write("requirements.txt", "flask==3.0.0\n");
  EXPECT_TRUE(read()) << "it counts before";
}

TEST_F(RequirementsTest, TheNearestFileCounts) {
  write("requirements.txt", "outer\n");
  write("app/requirements.txt", "inner\n");
  EXPECT_EQ(read("app/main.py")->file, "app/requirements.txt");
  EXPECT_EQ(read("lib/main.py")->file, "requirements.txt");
}

TEST_F(RequirementsTest, PyprojectCountsWithoutRequirements) {
  write("pyproject.toml", "[project]\nname = 'x'\ndependencies = ['flask>=3', 'click']\n");
  EXPECT_EQ(read()->lines, (std::vector<std::string>{"flask>=3", "click"}));
  write("requirements.txt", "other\n");
  EXPECT_TRUE(read()->lines.empty());
  fs::remove(folder.path() / "requirements.txt");
  write("pyproject.toml", "[tool.poetry.dependencies]\nflask = '*'\n");
  EXPECT_FALSE(read()->any);
  EXPECT_TRUE(read()->warning.contains("Poetry"));
  write("pyproject.toml", "[project\n");
  EXPECT_EQ(read().error().code, RegistryErrc::bad_config);
}

}  // namespace
}  // namespace mayfly::registry
