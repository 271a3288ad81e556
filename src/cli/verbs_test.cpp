// The verbs about functions.
#include "cli/http_client.h"
#include "cli/verbs_test_support.h"
#include "registry/error.h"

namespace mayfly::cli {
namespace {

using nlohmann::json;

TEST_F(Verbs, DeployPrintsAddressAndUrl) {
  const auto ran = run({"deploy", path("hello.js")});
  EXPECT_EQ(ran.code, kOk) << ran.err;
  EXPECT_EQ(ran.out, "hello@1  http://127.0.0.1:8080/hello  (new)\n");
  EXPECT_HAS(run({"deploy", path("hello.js")}).out, "(unchanged)");
  EXPECT_EQ(json::parse(run({"deploy", path("hello.js"), "--name", "other", "--json"}).out)["address"],
            "other@1");
}

TEST_F(Verbs, DeployWarnsOfWhatItLeavesOut) {
  run({"deploy", path("hello.js"), "--set", "network=none", "--set", "on.topic=orders", "--set",
       "routes=GET /a"});
  const auto ran = run({"deploy", path("hello.js"), "--set", "timeout=3s"});
  EXPECT_EQ(ran.code, kOk);
  EXPECT_HAS(ran.err, "warning: what hello@1 had is not in hello@2:");
  EXPECT_HAS(ran.err, "  network  none -> outbound\n");
  EXPECT_HAS(ran.err, "deploy with --set network=none --set on.topic=orders --set 'routes=GET /a', or");
  EXPECT_HAS(ran.err, "other settings than hello@1:\n  timeout  10s -> 3s\n");
  EXPECT_EQ(run({"deploy", path("hello.js"), "--set", "timeout=3s"}).err, "");
}

TEST_F(Verbs, DeployDoesNotOpenWhatWasClosed) {
  run({"deploy", path("hello.js"), "--set", "access=key"});
  const auto refused = run({"deploy", path("hello.js")});
  EXPECT_EQ(refused.code, kFailed);
  EXPECT_HAS(refused.err, "hello@1 has access = \"key\"");
  EXPECT_HAS(refused.err, "to keep what was: deploy with --set access=key\n");
  const auto opened = run({"deploy", path("hello.js"), "--set", "access=public"});
  EXPECT_EQ(opened.code, kOk);
  EXPECT_HAS(opened.err, "access  key -> public: everyone may call it");
}

TEST_F(Verbs, DeployOfAFolderWithSeveralFunctions) {
  write("site/one.js", "export default { fetch() {} };");
  write("site/two.js", "export default { fetch() {} };");
  write("site/mayfly.toml",
        "[functions.first]\nsource = \"one.js\"\n[functions.second]\nsource = \"two.js\"\n");
  const auto ran = run({"deploy", path("site"), "--json"});
  ASSERT_EQ(ran.code, kOk) << ran.err;
  const auto answers = json::parse(ran.out);
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0]["entry"], "one.js");
  EXPECT_EQ(answers[1]["address"], "second@1");
}

TEST_F(Verbs, ARefusedDeployIsShownLikeACompilers) {
  daemon.platform.refusal = Error{registry::RegistryErrc::syntax_error,
                                  "Unexpected token",
                                  {{"file", "hello.js"}, {"line", "1"}, {"column", "8"}}};
  const auto ran = run({"deploy", path("hello.js")});
  EXPECT_EQ(ran.code, kFailed);
  EXPECT_HAS(ran.err, "hello.js:1:8: error: Unexpected token\n  1 | export default {");
  EXPECT_HAS(ran.err, "\n             ^\n");
  daemon.platform.refusal = Error{registry::RegistryErrc::syntax_error, "Unexpected token", {}};
  EXPECT_EQ(json::parse(run({"deploy", path("hello.js"), "--json"}).out)["type"],
            "urn:mayfly:registry:syntax-error");
}

TEST_F(Verbs, InvokePrintsTheBodyAndTheRestBesideIt) {
  run({"deploy", path("hello.js")});
  daemon.operations.answer =
      admin::InvokeAnswer{.status = 200, .headers = {{"Mayfly-Invocation", "abc"}}, .body = "the body"};
  const auto ran = run({"invoke", "hello@1", "{}", "-H", "X-Mine: 1"});
  EXPECT_EQ(ran.code, kOk);
  EXPECT_EQ(ran.out, "the body");
  EXPECT_HAS(ran.err, "200");
  EXPECT_HAS(ran.err, "one\n") << "its log lines";
  EXPECT_EQ(daemon.operations.seen.body, "{}");
  EXPECT_EQ(daemon.operations.logs_asked.invocation, "abc");
  write("event.json", "[1]");
  run({"invoke", "hello", "-d", "@" + path("event.json"), "--path", "/a b", "-X", "PUT"});
  EXPECT_EQ(daemon.operations.seen.body, "{}") << "a path with a blank is refused";
  run({"invoke", "hello", "-d", "@" + path("event.json"), "--path", "/a?b=c d", "-X", "PUT"});
  run({"invoke", "hello", "-d", "@" + path("event.json"), "--path", "/a?b=c", "-X", "PUT"});
  EXPECT_EQ(daemon.operations.seen.body, "[1]");
  EXPECT_EQ(daemon.operations.seen.target, "/a?b=c");
  EXPECT_EQ(daemon.operations.seen.method, "PUT");
}

TEST_F(Verbs, InvokeFailsWhenTheFunctionDoes) {
  run({"deploy", path("hello.js")});
  daemon.operations.answer = admin::InvokeAnswer{.status = 418, .headers = {}, .body = "teapot"};
  const auto own = run({"invoke", "hello"});
  EXPECT_EQ(own.code, kFailed);
  EXPECT_EQ(own.out, "teapot");
  daemon.operations.answer = std::unexpected(
      Error{registry::RegistryErrc::init_failed, "boom", {{"stack", "Error: boom\n at hello.js:3"}}});
  const auto thrown = run({"invoke", "hello"});
  EXPECT_EQ(thrown.code, kFailed);
  EXPECT_EQ(thrown.out, "");
  EXPECT_HAS(thrown.err, "boom");
  EXPECT_HAS(thrown.err, "hello.js:3");
}

TEST_F(Verbs, ListDescribeVersionsTrafficRollbackDelete) {
  EXPECT_HAS(run({"list"}).out, "no functions yet");
  run({"deploy", path("hello.js")});
  write("hello.js", "export default { fetch: () => new Response('2') };\n");
  run({"deploy", path("hello.js")});
  EXPECT_HAS(run({"list"}).out, "hello  2 ");
  EXPECT_EQ(run({"list", "--names"}).out, "hello\n");
  EXPECT_HAS(run({"describe", "hello"}).out, "hello@2  http://");
  EXPECT_HAS(run({"versions", "hello"}).out, "hello@1  -");
  EXPECT_HAS(run({"traffic", "hello", "1=90%", "2=10", "--sticky", "cookie:x"}).out, "hello@1  90      90 %");
  EXPECT_EQ(json::parse(run({"traffic", "hello", "--json"}).out)["sticky"], "cookie:x");
  EXPECT_EQ(run({"traffic", "hello", "1"}).code, kUsage);
  EXPECT_HAS(run({"rollback", "hello", "2"}).out, "hello@2");
  EXPECT_EQ(run({"delete", "hello@1", "--yes"}).code, kOk);
  EXPECT_EQ(run({"delete", "hello", "--yes"}).code, kOk);
  EXPECT_EQ(run({"describe", "hello"}).code, kFailed);
}

TEST_F(Verbs, AMistypedFunctionGetsASuggestion) {
  run({"deploy", path("hello.js")});
  const auto ran = run({"describe", "helo"});
  EXPECT_EQ(ran.code, kFailed);
  EXPECT_HAS(ran.err, "did you mean 'hello'?");
}

TEST_F(Verbs, LogsForPeopleAndForPrograms) {
  run({"deploy", path("hello.js")});
  EXPECT_HAS(run({"logs", "hello", "-f", "-n", "7"}).out, "one\n");
  EXPECT_EQ(daemon.operations.logs_asked.tail, 7U);
  EXPECT_EQ(run({"logs", "hello", "--json"}).out, "{\"text\":\"one\"}\n{\"text\":\"two\"}\n");
}

TEST_F(Verbs, UnreachableAndUnauthorizedSayWhatToDo) {
  const auto nobody = run({"list", "--admin-url", "http://127.0.0.1:1", "--token", "x"}, false);
  EXPECT_EQ(nobody.code, kUnreachable);
  EXPECT_HAS(nobody.err, "no daemon at http://127.0.0.1:1");
  EXPECT_HAS(nobody.err, "mayfly serve");
  const auto wrong = run({"list", "--admin-url", "127.0.0.1:" + std::to_string(port), "--token", "x"}, false);
  EXPECT_EQ(wrong.code, kUnreachable);
  EXPECT_HAS(wrong.err, "--token");
}

TEST_F(Verbs, TheTokenIsFoundInTheDataFolder) {
  write("admin-token", "secret\n");
  const auto url = "127.0.0.1:" + std::to_string(port);
  EXPECT_EQ(run({"list", "--admin-url", url, "--data", files.path().string()}, false).code, kOk);
  const auto none = run({"list", "--admin-url", url, "--data", path("nowhere")}, false);
  EXPECT_EQ(none.code, kUnreachable);
  EXPECT_HAS(none.err, "nowhere");
}

TEST_F(Verbs, TheAddressIsFoundInTheDataFolder) {
  write("admin-token", "secret\n");
  write("admin-url", "http://127.0.0.1:" + std::to_string(port) + "\n");
  EXPECT_EQ(run({"list", "--data", files.path().string()}, false).code, kOk);
  ::setenv("MAYFLY_DATA", files.path().c_str(), 1);
  const auto ran = run({"list"}, false);
  ::unsetenv("MAYFLY_DATA");
  EXPECT_EQ(ran.code, kOk) << ran.err;
  const auto other =
      run({"list", "--data", files.path().string(), "--admin-url", "http://127.0.0.1:1"}, false);
  EXPECT_HAS(other.err, "no daemon at http://127.0.0.1:1");
}

TEST_F(Verbs, DeployTellsOfAFunctionThatCameFromElsewhere) {
  write("one/hello.js", "export default { fetch: () => new Response('one') };\n");
  write("two/hello.js", "export default { fetch: () => new Response('two') };\n");
  EXPECT_EQ(run({"deploy", path("one/hello.js")}).err, "");
  const auto other = run({"deploy", path("two/hello.js")});
  EXPECT_EQ(other.code, kOk);
  EXPECT_HAS(other.out, "(was hello@1)");
  EXPECT_HAS(other.err, "hello@2 takes the place of hello@1, which came from " + path("one/hello.js"));
  EXPECT_HAS(other.err, "mayfly rollback hello");
  write("two/hello.js", "export default { fetch: () => new Response('three') };\n");
  EXPECT_EQ(run({"deploy", path("two/hello.js")}).err, "");
  EXPECT_EQ(run({"deploy", path("one/hello.js"), "--name", "hello"}).err, "") << "the name was given";
}

TEST_F(Verbs, NewWritesAProjectThatDeploys) {
  for (const auto& words : std::vector<std::vector<std::string>>{
           {path("plain")}, {"js", path("first")}, {path("option"), "--template", "lambda"}}) {
    auto all = words;
    all.insert(all.begin(), "new");
    ASSERT_EQ(run(all, false).code, kOk);
    const auto& folder = words[words[0] == "js" ? 1 : 0];
    const auto deployed = run({"deploy", folder});
    EXPECT_EQ(deployed.code, kOk) << deployed.err;
    EXPECT_HAS(deployed.out, std::filesystem::path(folder).filename().string() + "@1");
    EXPECT_EQ(run({"new", folder}, false).code, kFailed) << "nothing is overwritten";
  }
}

TEST_F(Verbs, NewKnowsItsTemplates) {
  const auto all = nlohmann::json::parse(run({"new", "--list", "--json"}, false).out);
  EXPECT_HAS(run({"new", "--list"}, false).out, "fastapi");
  for (const auto& each : all) {
    const auto folder = path("of-" + each["name"].get<std::string>());
    ASSERT_EQ(run({"new", each["name"], folder}, false).code, kOk);
    EXPECT_FALSE(each["summary"].get<std::string>().empty());
    for (const auto& file : std::filesystem::recursive_directory_iterator(folder)) {
      if (file.is_directory()) continue;
      std::ifstream stream(file.path());
      const std::string text(std::istreambuf_iterator<char>(stream), {});
      EXPECT_EQ(text.find("__NAME__"), std::string::npos) << file.path();
      EXPECT_EQ(::access(file.path().c_str(), X_OK) == 0, text.starts_with("#!")) << file.path();
    }
  }
  EXPECT_HAS(run({"new", path("x"), "--template", "expres"}, false).err, "did you mean 'express'?");
  EXPECT_HAS(run({"new", "expres", path("x")}, false).err, "did you mean 'express'?");
  EXPECT_HAS(run({"new"}, false).err, "--list");
}

TEST_F(Verbs, ServeTakesTheCommandLineBeforeTheFile) {
  write("serve.toml", "listen = \"0.0.0.0:1\"\nthreads = 3\ndrain = \"5s\"\n");
  EXPECT_EQ(
      run({"serve", "--data", path("d"), "--config", path("serve.toml"), "--listen", "[::1]:2"}, false).code,
      42);
  EXPECT_EQ(served.data, path("d"));
  EXPECT_EQ(served.listen, "[::1]:2");
  EXPECT_EQ(served.admin, "127.0.0.1:8081");
  EXPECT_EQ(served.threads, 3U);
  EXPECT_EQ(served.drain, std::chrono::seconds(5));
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"--listen", "80"},
                                                {"--threads", "-1"},
                                                {"--memory-budget", "much"},
                                                {"--dataset-budget", "much"},
                                                {"--max-header", "2MiB"},
                                                {"--header-timeout", "soon"},
                                                {"--max-connections", "x"},
                                                {"--log-level", "loud"},
                                                {"--config", path("none.toml")}}) {
    std::vector<std::string> words{"serve"};
    words.insert(words.end(), wrong.begin(), wrong.end());
    EXPECT_EQ(run(words, false).code, kUsage) << wrong[0];
  }
  write("serve.toml", "listne = \"0.0.0.0:1\"\n");
  EXPECT_HAS(run({"serve", "--config", path("serve.toml")}, false).err, "did you mean 'listen'?");
}

TEST_F(Verbs, DoctorPrintsFindings) {
  const auto findings = json::parse(run({"doctor", "--json"}).out)["findings"];
  const auto daemon_line =
      std::ranges::find(findings, "daemon", [](const json& each) { return each["what"]; });
  ASSERT_NE(daemon_line, findings.end());
  EXPECT_EQ((*daemon_line)["health"], "ok");
}

TEST(ParseUrl, TakesWhatIsAnAddressOfADaemon) {
  EXPECT_EQ(parse_url("http://h:1/")->origin(), "http://h:1");
  EXPECT_EQ(parse_url("127.0.0.1:8081")->port, 8081);
  EXPECT_EQ(parse_url("http://[::1]:8081")->host, "::1");
  EXPECT_EQ(parse_url("http://[::1]:8081")->origin(), "http://[::1]:8081");
  EXPECT_EQ(parse_url("https://h")->port, 443);
  EXPECT_EQ(parse_url("https://h:1/x")->origin(), "https://h:1");
  EXPECT_EQ(parse_url("http://h/prefix/")->path, "/prefix");
  for (const char* text : {"", "http://", "http://h:0", "http://h:x", "http://h:70000"})
    EXPECT_FALSE(parse_url(text)) << text;
}

TEST(PercentEncode, LeavesOnlyWhatIsSafe) {
  EXPECT_EQ(percent_encode("a b/c?d=\xC3\xA9~"), "a%20b%2Fc%3Fd%3D%C3%A9~");
}

}  // namespace
}  // namespace mayfly::cli
