"""Datasets as functions see them, in every form: the same bytes, there before the code is loaded, and shared."""

import re
from pathlib import Path

import pytest

from support.processes import eventually
from support.python_packages import interpreter

LOG = b"".join(b"%07d a line\n" % i for i in range(300_000))  # 4.5 MB: two huge pages and a rest

NODE = """
const init = mayfly.datasets["access-log"];
const text = (log, from) => String.fromCharCode(...new Uint8Array(log, from, 15));
const tell = ({ datasets, datasetFiles }) => {
  const log = datasets["access-log"], [file] = datasetFiles("access-log");
  return [log.byteLength, text(log, 0), text(log, log.byteLength - 15), [file.offset, file.size], log === init, datasets.other === undefined, datasets.empty.byteLength];
};
"""
PYTHON = """
import mayfly
init = mayfly.datasets["access-log"]
def tell(datasets, dataset_files):
    log, (file,) = datasets["access-log"], dataset_files("access-log")
    return [len(log), bytes(log[:15]).decode(), bytes(log[-15:]).decode(), [file.offset, file.size], log is init, "other" not in datasets, len(datasets["empty"])]
"""
CPP = """
#include <mayfly.h>
static const std::byte* at_init;
void init() { at_init = mayfly::dataset("access-log").data(); }
MAYFLY_INIT(init)
mayfly::Response handle(const mayfly::Request&) {
  const auto log = mayfly::dataset("access-log");
  const auto text = [](std::span<const std::byte> bytes) { return std::string(reinterpret_cast<const char*>(bytes.data()), 14) + "\\\\n"; };
  const auto flag = [](bool value) { return std::string(value ? "true" : "false"); };
  const auto files = mayfly::dataset_files("access-log");
  return "[" + std::to_string(log.size()) + ",\\"" + text(log) + "\\",\\"" + text(log.last(15)) + "\\",[" + std::to_string(files.at(0).offset) + "," +
         std::to_string(files.at(0).size) + "]," + flag(log.data() == at_init) + "," + flag(mayfly::dataset("other").empty()) + "," +
         std::to_string(mayfly::dataset("empty").size()) + "]";
}
MAYFLY_HANDLER(handle)
"""
C = """
#include <mayfly.h>
static const char* at_init;
static int init(void) { at_init = mayfly_dataset("access-log").data; return 0; }
MAYFLY_INIT(init)
static void handle(mayfly_request* request, mayfly_response* response) {
  (void)request;
  const mayfly_text log = mayfly_dataset("access-log");
  mayfly_dataset_file file;
  char text[200];
  if (!mayfly_dataset_file_at("access-log", 0, &file)) return mayfly_fail(response, "no file");
  snprintf(text, sizeof text, "[%zu,\\"%.14s\\\\n\\",\\"%.14s\\\\n\\",[%d,%d],%s,%s,%zu]", log.size, log.data, log.data + log.size - 15, (int)file.offset,
           (int)file.size, log.data == at_init ? "true" : "false", mayfly_dataset("other").data == NULL ? "true" : "false", mayfly_dataset("empty").size);
  mayfly_print(response, text);
}
MAYFLY_HANDLER(handle)
"""
SHELL = r"""#!/bin/sh
log=$MAYFLY_DATASET_ACCESS_LOG
printf '[%d,"%s\\n","%s\\n",[0,%d],true,%s,%d]' $(wc -c < $log) "$(head -c 14 $log)" "$(tail -c 15 $log)" $(wc -c < $log) \
  ${MAYFLY_DATASET_OTHER-true} $(wc -c < $MAYFLY_DATASET_EMPTY)
"""
BOOTSTRAP = """#!/usr/bin/python3
import json, os, urllib.request
api = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
log = open(os.environ["MAYFLY_DATASET_ACCESS_LOG"], "rb").read()
while True:
    with urllib.request.urlopen(f"{api}/next") as event:
        invocation = event.headers["Lambda-Runtime-Aws-Request-Id"]
    tell = [len(log), log[:15].decode(), log[-15:].decode(), [0, len(log)], True, "MAYFLY_DATASET_OTHER" not in os.environ,
            os.stat(os.environ["MAYFLY_DATASET_EMPTY"]).st_size]
    urllib.request.urlopen(f"{api}/{invocation}/response", data=json.dumps(tell).encode()).read()
"""
FORMS = {
    "fetch": ("f.mjs", NODE + "export default { fetch: (request, env) => Response.json(tell(env)) };"),
    "lambda": ("f.mjs", NODE + "export const handler = async (event, context) => tell(context);"),
    "express": ("f.mjs", NODE + "export default (req, res) => { res.end(JSON.stringify(tell(req.mayfly))); };"),
    "python": ("f.py", PYTHON + "def handler(event, context): return tell(context.datasets, context.dataset_files)"),
    "asgi": ("f.py", PYTHON + """
import json
async def app(scope, receive, send):
    if scope["type"] != "http": return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(tell(mayfly.datasets, mayfly.dataset_files)).encode()})
"""),
    "wsgi": ("f.py", PYTHON + """
import json
def app(environ, start_response):
    start_response("200 OK", [])
    return [json.dumps(tell(mayfly.datasets, mayfly.dataset_files)).encode()]
"""),
    "cpp": ("f.cpp", CPP),
    "c": ("f.c", C),
    "cgi": ("f.sh", SHELL),
    "bootstrap": ("bootstrap", BOOTSTRAP),
}


def make(daemon, name: str, content: bytes) -> None:
    answer = daemon.admin(f"/v1/datasets/{name}", "PUT", body=content, headers={"content-type": "application/octet-stream"})
    assert answer.status in (200, 201), answer.text


@pytest.fixture(scope="module")
def datasets(daemon, tmp_path_factory) -> list[str]:
    make(daemon, "access-log", LOG)
    empty = tmp_path_factory.mktemp("datasets") / "empty.log"
    empty.touch()
    answer = daemon.admin("/v1/datasets/empty/source", "PUT", json={"from": [str(empty)]})
    assert answer.status in (200, 201), answer.text
    make(daemon, "other", b"of others")
    return ["access-log", "empty"]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_sees_what_it_lists(daemon, datasets, form):
    file, code = FORMS[form]
    daemon.deploy(f"sees-{form}", code, file, datasets=datasets)
    assert "loads the code itself" not in daemon.cli("describe", f"sees-{form}").stdout, "it cannot be forked"
    for _ in range(2):  # of one instance and of the next
        answer = daemon.request(f"/sees-{form}")
        assert answer.status == 200, answer.text
        assert answer.json == [len(LOG), LOG[:15].decode(), LOG[-15:].decode(), [0, len(LOG)], True, True, 0]
        daemon.admin(f"/v1/functions/sees-{form}/evict", "POST")


def mapping_of(pid: int) -> dict[str, int]:
    """The mapping of the dataset in a process: its address, and the KiB of each kind (proc_pid_smaps(5))."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            if found:
                return found
            if "memfd:" in line and "access-log" in line:
                found["address"] = int(line.split("-")[0], 16)
        elif found and line.endswith(" kB"):
            name, value = line.split(":")
            found[name] = int(value.split()[0])
    return found


@pytest.mark.parametrize("form", ["fetch", "python", "cpp"])
def test_an_instance_adds_no_memory_for_it(daemon, datasets, form):
    file, code = FORMS[form]
    name = f"shares-{form}"
    daemon.deploy(name, code, file, datasets=datasets)
    assert daemon.request(f"/{name}").status == 200
    [template] = daemon.describe(name)["live"]["templates"]
    mapped = mapping_of(template["pid"])
    assert mapped and mapped["address"] % (2 << 20) == 0
    children = Path(f"/proc/{template['pid']}/task/{template['pid']}/children").read_text().split()
    assert children
    for pid in children:
        its = mapping_of(int(pid))
        assert its["address"] == mapped["address"]
        assert its["Anonymous"] == 0 and its["Size"] == (len(LOG) + 4095) // 4096 * 4


def test_what_node_writes_is_its_own(daemon, datasets):
    daemon.deploy("writes", """
      export default { fetch(request, env) {
        const bytes = new Uint8Array(env.datasets["access-log"]);
        const before = bytes[0];
        bytes[0] = 88;
        return Response.json([before, bytes[0], bytes[4096]]);
      } };""", "f.mjs", datasets=datasets, isolation="request")
    for _ in range(3):
        assert daemon.request("/writes").json == [LOG[0], 88, LOG[4096]]
    assert daemon.request("/sees-again").status == 404
    daemon.deploy("sees-again", FORMS["python"][1], "f.py", datasets=datasets)
    assert daemon.request("/sees-again").json[1] == LOG[:15].decode()


def test_a_write_in_native_code_ends_the_instance_alone(daemon, datasets):
    daemon.deploy("writes-c", """
#include <mayfly.h>
static void handle(mayfly_request* request, mayfly_response* response) {
  char* log = (char*)mayfly_dataset("access-log").data;
  if (strcmp(mayfly_path(request).data, "/write") == 0) log[0] = 'X';
  mayfly_append(response, log, 7);
}
MAYFLY_HANDLER(handle)""", "f.c", datasets=datasets)
    assert daemon.request("/writes-c/write").status in (500, 502)
    assert daemon.request("/writes-c").text == "0000000"
    assert eventually(lambda: "SIGSEGV" in daemon.cli("logs", "writes-c").stdout)


def test_numpy_sees_it_without_a_copy(daemon, datasets):
    daemon.deploy("numbers", """
import mayfly, numpy
log = numpy.frombuffer(mayfly.datasets["access-log"], dtype=numpy.uint8)
def handler(event, context):
    return [int((log == 10).sum()), log.flags.writeable, log.ctypes.data % (2 << 20)]
""", "main.py", interpreter=interpreter(), datasets=datasets)
    assert "loads the code itself" not in daemon.cli("describe", "numbers").stdout
    assert daemon.request("/numbers").json == [300_000, False, 0]
