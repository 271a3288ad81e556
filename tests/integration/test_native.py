"""Functions in C and C++: compiled at deploy, forked, streamed, and what their failures look like."""

import io
import re
import shutil
import tarfile

import pytest

from support.processes import eventually

HELLO = """#include <mayfly.h>
mayfly::Response handle(const mayfly::Request&) { return {200, "%s"}; }
MAYFLY_HANDLER(handle)
"""


def handler(body: str, before: str = "") -> str:
    return f"""#include <mayfly.h>
{before}
mayfly::Response handle(const mayfly::Request& request) {{ (void)request; {body} }}
MAYFLY_HANDLER(handle)
"""


def folder(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content.encode())
            archive.addfile(info, io.BytesIO(content.encode()))
    return buffer.getvalue()


def log_of(daemon, name: str, text: str) -> str:
    """The function's log, as soon as it has this text."""
    found = []

    def there():
        found[:] = [daemon.cli("logs", name).stdout]
        return text in found[0]

    eventually(there, what=f"{text!r} in the log")
    return found[0]


def test_a_single_file_of_cpp(daemon):
    deployed = daemon.deploy("cpp", handler(
        'return {201, std::string(request.method()) + " " + std::string(request.body()) + " " + '
        'std::string(*mayfly::env("GREETING")), {{"content-type", "text/x-test"}}};'), file="cpp.cpp", **{"env.GREETING": "hi"})
    assert deployed["runtime"] == "native"
    answer = daemon.request("/cpp/a?b=c", "POST", body=b"sent")
    assert (answer.status, answer.text, answer.header("content-type")) == (201, "POST sent hi", "text/x-test")


def test_a_single_file_of_c(daemon):
    daemon.deploy("c", """#include <mayfly.h>
        static void handle(mayfly_request* request, mayfly_response* response) {
          mayfly_text path = mayfly_path(request);
          mayfly_log(MAYFLY_INFO, "asked for %s", path.data);
          mayfly_print(response, path.data);
        }
        MAYFLY_HANDLER(handle)""", file="c.c")
    assert daemon.request("/c/some/where").text == "/some/where"
    assert re.search("[0-9a-f]{8}.*asked for /some/where", log_of(daemon, "c", "asked for"))


def test_a_handler_may_be_a_lambda_with_commas(daemon):
    daemon.deploy("lambda-cpp", """#include <mayfly.h>
        MAYFLY_HANDLER([](const mayfly::Request& request) {
          const int both[] = {20, 22};
          return mayfly::Response{200, std::to_string(both[0] + both[1]) + std::string(request.path())};
        })""", file="f.cpp")
    assert daemon.request("/lambda-cpp/x").text == "42/x"


def test_a_folder_of_sources_is_one_function(daemon):
    source = folder({"a.cpp": handler("return std::to_string(twice(21)) + label();", '#include "b.h"\nextern "C" const char* label(void);'),
                     "b.h": "int twice(int);\n", "b.cpp": '#include "b.h"\nint twice(int x) { return 2 * x; }\n',
                     "c.c": 'const char* label(void) { return " in C"; }\n'})
    assert daemon.deploy("many", source)["entry"] == "function.mayfly.so"
    assert daemon.request("/many").text == "42 in C"


def test_a_cmake_project(daemon):
    source = folder({
        "CMakeLists.txt": """cmake_minimum_required(VERSION 3.16)
            project(f CXX)
            add_library(helper SHARED lib/helper.cpp)
            add_library(f MODULE src/f.cpp)
            target_include_directories(f PRIVATE lib)
            target_link_libraries(f PRIVATE helper)""",
        "src/f.cpp": handler("return helper();", '#include "helper.h"'),
        "lib/helper.h": "#include <string>\nstd::string helper();\n",
        "lib/helper.cpp": '#include "helper.h"\nstd::string helper() { return "helped"; }\n',
    })
    assert daemon.deploy("cmake", source)["entry"] == "libf.so"
    assert daemon.request("/cmake").text == "helped"
    assert daemon.deploy("cmake", source)["version"] == 1, "the same source gives the same bytes"


def test_tools_of_a_cmake_project_that_are_missing_are_named(start_daemon, tmp_path):
    for name in ("cc", "c++", "cmake"):
        (tmp_path / name).symlink_to(shutil.which(name))
    daemon = start_daemon(env={"PATH": str(tmp_path)})
    source = folder({"CMakeLists.txt": "cmake_minimum_required(VERSION 3.16)\nproject(f CXX)\nadd_library(f MODULE f.cpp)\n", "f.cpp": HELLO % "built"})
    for missing, package in (("make", "make"), ("cmake", "cmake make")):
        (tmp_path / missing).unlink(missing_ok=True)
        answer = daemon.put("lacks", source)
        assert answer.status == 422 and f"apt-get install {package}" in answer.text and f"{missing}, which" in answer.text, answer.text


def test_the_same_source_again_changes_nothing(daemon):
    assert daemon.deploy("same", HELLO % "one", file="f.cpp")["version"] == 1
    assert daemon.deploy("same", HELLO % "one", file="f.cpp")["version"] == 1
    assert daemon.deploy("same", HELLO % "two", file="f.cpp")["version"] == 2
    assert daemon.request("/same").text == "two"


def test_bodies_stream_both_ways(daemon):
    daemon.deploy("stream", handler("""
        return mayfly::Response::stream(200, {{"content-type", "text/plain"}}, [&](mayfly::Writer& out) {
          char part[4096];
          while (const auto size = request.read(part)) out.write(std::string_view(part, size));
          out.write("|end");
        });"""), file="stream.cpp")
    with daemon.wire() as wire:
        wire.send("POST /stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        assert wire.head().status == 200
        assert wire.chunk() == b"first", "sent while the request still comes"
        wire.send("6\r\nsecond\r\n0\r\n\r\n")
        assert wire.chunk() == b"second"
        assert wire.chunk() == b"|end"
        assert wire.chunk() == b""
    large = b"x" * 5_000_000
    assert daemon.request("/stream", "POST", body=large).body == large + b"|end"


def test_a_slow_reader_slows_the_function_not_the_daemon(daemon):
    daemon.deploy("flood", handler("""
        return mayfly::Response::stream(200, {}, [&](mayfly::Writer& out) {
          const std::string part(65536, 'x');
          for (int i = 0; i < 4096; ++i) out.write(part);
        });"""), file="flood.cpp", timeout="60s")
    with daemon.wire(receive_buffer=4096) as wire:
        wire.get("/flood")
        assert wire.head().status == 200
    assert daemon.request("/flood", timeout=60).body.count(b"x") == 4096 * 65536


def test_an_exception_is_a_typed_error(daemon):
    daemon.deploy("throws", handler(
        'if (request.path() == "/bad") throw std::runtime_error("thrown on purpose"); return "fine";'), file="throws.cpp")
    answer = daemon.request("/throws/bad")
    assert (answer.status, answer.problem) == (500, "urn:mayfly:pool:handler-threw")
    assert "on purpose" not in answer.text, "not for the public"
    assert daemon.request("/throws").text == "fine"
    failures = str(daemon.describe("throws"))
    assert "std::runtime_error: thrown on purpose" in failures


@pytest.mark.parametrize("code, signal, words", [
    ("*nowhere = 1;", "SIGSEGV", "invalid memory access at 0x0"),
    ("std::abort();", "SIGABRT", "the code called abort()"),
    ("volatile int many = 9, zero = 0; return std::to_string(many / zero);", "SIGFPE", "integer division by zero"),
    ("__builtin_trap();", "SIGILL", "illegal instruction"),
])
def test_a_crash_ends_one_instance_and_leaves_its_stack(daemon, code, signal, words):
    name = signal.lower()
    daemon.deploy(name, f"""#include <mayfly.h>
#include <cstdlib>
static volatile int* nowhere;
__attribute__((noinline)) std::string crash() {{
  {code}
  return "";
}}
mayfly::Response handle(const mayfly::Request& request) {{
  if (request.path() == "/bad") return crash();
  return "fine";
}}
MAYFLY_HANDLER(handle)
""", file=f"{name}.cpp")
    assert daemon.request(f"/{name}").text == "fine"
    answer = daemon.request(f"/{name}/bad")
    assert (answer.status, answer.problem, answer.json["signal"]) == (502, "urn:mayfly:pool:instance-killed", signal)
    assert daemon.request(f"/{name}").text == "fine"
    log_of(daemon, name, "at handle(mayfly::Request const&)")
    log = daemon.cli("logs", name, "--invocation", answer.header("mayfly-invocation")).stdout
    assert f"{signal}: {words}" in log, "each line of it has the invocation's id"
    assert re.search(rf"at crash.*\({name}\.cpp:5\)", log), log
    assert re.search(rf"at handle\(mayfly::Request const&\) \({name}\.cpp:9\)", log), log


def test_a_loop_meets_the_deadline(daemon):
    daemon.deploy("loops", handler("for (volatile int i = 0; request.path() == \"/bad\"; ++i) {} return 204;"),
                  file="loops.cpp", timeout="300ms")
    answer = daemon.request("/loops/bad")
    assert (answer.status, answer.problem) == (504, "urn:mayfly:scheduler:deadline-exceeded")
    assert daemon.request("/loops").status == 204


BAD = {
    "syntax": ("int x = ;", "urn:mayfly:registry:syntax-error", "f.cpp:1:9: expected primary-expression"),
    "header": ("#include <none.h>\n", "urn:mayfly:registry:syntax-error", "f.cpp:1:10: none.h: No such file or directory"),
    "undefined": (handler("return other();", "const char* other();"), "urn:mayfly:registry:build-failed",
                  "f.cpp:3: undefined reference to `other()'"),
    "nothing": ("int x;", "urn:mayfly:registry:missing-export", "MAYFLY_HANDLER("),
    "constructor": (handler("return 200;", 'struct A { A() { throw std::runtime_error("too early"); } } a;'),
                    "urn:mayfly:registry:init-failed", "std::runtime_error: too early"),
    "aborts": (handler("return 200;", "struct A { A() { std::abort(); } } a;"), "urn:mayfly:registry:init-failed", "abort()"),
    "crashes": (handler("return 200;", "int* volatile nowhere; struct A { A() { *nowhere = 1; } } a;"),
                "urn:mayfly:registry:init-failed", "SIGSEGV: invalid memory access at 0x0 while the code was loading"),
    "exits": (handler("return 200;", "struct A { A() { std::exit(0); } } a;"), "urn:mayfly:registry:init-failed", "exit(0)"),
    "abi": ('extern "C" { extern const int mayfly_abi[8]; const int mayfly_abi[8] = {2, 8}; }',
            "urn:mayfly:registry:init-failed", "another mayfly.h"),
    "init": (handler("return 200;", 'void init() { throw std::runtime_error("no model"); }\nMAYFLY_INIT(init)'),
             "urn:mayfly:registry:init-failed", "init threw std::runtime_error: no model"),
    "bomb": ("template <int N> struct A { A<N + 1> next; char x[N]; };\ntemplate <int N> struct B { using T = typename B<N+1>::T; };\n"
             "B<0>::T x;", "urn:mayfly:registry:syntax-error", "template instantiation depth"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_deploy_says_why_and_the_old_version_serves_on(daemon, what):
    code, problem, words = BAD[what]
    name = f"bad-{what}"
    daemon.deploy(name, HELLO % "old", file="f.cpp")
    answer = daemon.put(name, code, file="f.cpp")
    assert (answer.status, answer.problem) == (422, problem), answer.text
    assert words in answer.json["detail"], answer.text
    assert daemon.request(f"/{name}").text == "old"


def test_a_compilers_answer_has_file_line_and_its_own_words(daemon):
    answer = daemon.put("words", "#include <mayfly.h>\nint main() { return x; }\n", file="f.cpp")
    assert (answer.json["file"], answer.json["line"], answer.json["column"]) == ("f.cpp", 2, 21)
    assert "2 | int main() { return x; }" in answer.json["output"]


def test_a_build_cannot_look_around(daemon):
    """What CMake is told to run is confined."""
    secret = daemon.folder / "admin-token"
    source = folder({"CMakeLists.txt": f"""cmake_minimum_required(VERSION 3.16)
        project(f CXX)
        execute_process(COMMAND cat {secret} OUTPUT_VARIABLE token)
        if(token)
          message(FATAL_ERROR "it read the token")
        endif()
        add_library(f MODULE f.cpp)""", "f.cpp": HELLO % "built"})
    daemon.deploy("confined", source)
    assert daemon.request("/confined").text == "built"


def test_a_build_has_the_filter_of_functions(daemon):
    source = folder({"CMakeLists.txt": """cmake_minimum_required(VERSION 3.16)
        project(f CXX)
        execute_process(COMMAND grep Seccomp: /proc/self/status OUTPUT_VARIABLE filter)
        if(NOT filter MATCHES "2")
          message(FATAL_ERROR "no filter: ${filter}")
        endif()
        add_library(f MODULE f.cpp)""", "f.cpp": HELLO % "filtered"})
    daemon.deploy("filtered", source)
    assert daemon.request("/filtered").text == "filtered"


def deploy_what_runs(daemon, command):
    """The answer to a deploy whose CMake runs a shell's command, which fails."""
    answer = daemon.put("greedy", folder({"CMakeLists.txt": f"""cmake_minimum_required(VERSION 3.16)
        project(f CXX)
        execute_process(COMMAND sh -c "{command}" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
        add_library(f MODULE f.cpp)""", "f.cpp": HELLO % "x"}))
    assert (answer.status, answer.problem) == (422, "urn:mayfly:registry:build-failed"), answer.text
    return answer


def test_a_build_that_takes_too_much_memory_is_told_the_limit(start_daemon):
    daemon = start_daemon("--build-memory", "160MiB")
    daemon.deploy("within", folder({"CMakeLists.txt": "cmake_minimum_required(VERSION 3.16)\nproject(f CXX)\nadd_library(f MODULE f.cpp)",
                                    "f.cpp": HELLO % "within"}))
    if "memory_limit_bytes" not in daemon.describe("within")["live"]["templates"][0].get("limits", {}):
        pytest.skip("no control group limits memory")
    answer = deploy_what_runs(daemon, "head -c 400000000 /dev/zero | tail -c 300000000")
    assert "needed more than 160 MiB of memory" in answer.json["detail"] and answer.json["limit"] == "160MiB", answer.text


def test_a_build_that_starts_too_many_processes_is_told_the_limit(start_daemon):
    daemon = start_daemon()
    layers = {each["name"]: each for each in daemon.admin("/v1/status").json["limits"]}
    if not layers["process-limit"]["there"]:
        pytest.skip(layers["process-limit"]["reason"])
    answer = deploy_what_runs(daemon, "i=0; while [ $i -lt 2200 ]; do sleep 100 >/dev/null 2>&1 & i=$((i + 1)); done")
    assert "more than 2048 processes and threads" in answer.json["detail"] and answer.json["limit"] == "2048", answer.text



def test_a_build_that_puts_a_link_in_the_place_of_its_folder(daemon, tmp_path):
    """What lies behind it is not taken for what was built."""
    (tmp_path / "libother.so").write_bytes(b"\0mayfly_abi\0")
    source = folder({"CMakeLists.txt": f"""cmake_minimum_required(VERSION 3.16)
        project(f CXX)
        add_library(f MODULE f.cpp)
        add_custom_command(TARGET f POST_BUILD COMMAND mv ${{CMAKE_BINARY_DIR}} ${{CMAKE_BINARY_DIR}}-gone
          COMMAND ln -s {tmp_path} ${{CMAKE_BINARY_DIR}})""", "f.cpp": HELLO % "x"})
    answer = daemon.put("linked", source)
    assert (answer.status, answer.problem) == (422, "urn:mayfly:registry:unsafe-path"), answer.text


def test_cmake_without_a_module_is_told_what_to_write(daemon):
    source = folder({"CMakeLists.txt": "cmake_minimum_required(VERSION 3.16)\nproject(f CXX)\nadd_library(f STATIC f.cpp)",
                     "f.cpp": HELLO % "x"})
    answer = daemon.put("static", source)
    assert answer.status == 422 and "add_library(NAME MODULE SOURCES)" in answer.json["detail"], answer.text


def test_warnings_of_the_compiler_come_with_the_deploy_also_when_it_was_built_before(daemon):
    source = handler("int unused = 1; return 200;")
    for name in ("warned", "warned-too"):
        deployed = daemon.deploy(name, source, file="f.cpp")
        assert any("unused variable 'unused'" in warning for warning in deployed["warnings"]), deployed
