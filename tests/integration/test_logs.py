"""What a function writes, kept by function and invocation, never in its way."""

import json
import subprocess
import time

import pytest

from support.daemon import BINARY, REPOSITORY
from support.processes import eventually

VICTIMS = REPOSITORY / "tests" / "victims"
TALKS = """
export default {
  fetch(request) {
    const word = new URL(request.url).searchParams.get("word");
    console.log("said", word, { deep: { er: [1, 2] } });
    console.error("complained " + word);
    console.debug("whispered " + word);
    return new Response(word);
  },
};
"""


def lines(daemon, name: str, **query) -> list[dict]:
    parameters = "&".join(f"{key}={value}" for key, value in query.items())
    answer = daemon.admin(f"/v1/functions/{name}/logs?{parameters}")
    assert answer.status == 200, answer.text
    assert answer.header("content-type") == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def wait_for(daemon, name: str, text: str, **query) -> list[dict]:
    found = []

    def there():
        found[:] = lines(daemon, name, **query)
        return any(text in line["text"] for line in found)

    eventually(there, what=f"a log line with {text!r}")
    return found


def test_lines_have_time_level_version_and_invocation(daemon):
    daemon.deploy("talks", TALKS)
    answer = daemon.request("/talks?word=tea")
    got = wait_for(daemon, "talks", "whispered tea")
    said = next(line for line in got if "said tea" in line["text"])
    assert said["text"] == "said tea { deep: { er: [ 1, 2 ] } }"
    assert (said["level"], said["version"]) == ("info", 1)
    assert said["invocation"] == answer.header("mayfly-invocation")
    assert said["time"].startswith("20")
    levels = {line["text"]: line["level"] for line in got}
    assert (levels["complained tea"], levels["whispered tea"]) == ("error", "debug")


def test_lines_of_one_invocation(daemon):
    daemon.deploy("talks", TALKS)
    first, second = (daemon.request(f"/talks?word={word}").header("mayfly-invocation") for word in ("one", "two"))
    wait_for(daemon, "talks", "whispered two")
    got = lines(daemon, "talks", invocation=first)
    assert {line["invocation"] for line in got} == {first}
    assert all("one" in line["text"] for line in got) and len(got) == 3
    output = daemon.cli("logs", "talks", "--invocation", second).stdout
    assert "said two" in output and "said one" not in output


def test_tail(daemon):
    daemon.deploy("talks", TALKS)
    for number in range(5):
        daemon.request(f"/talks?word=w{number}")
    wait_for(daemon, "talks", "whispered w4", tail=3)
    assert len(lines(daemon, "talks", tail=3)) == 3


def test_follow_shows_lines_as_they_come(daemon):
    daemon.deploy("followed", TALKS)
    daemon.request("/followed?word=before")
    wait_for(daemon, "followed", "whispered before")
    process = subprocess.Popen(
        [BINARY, "logs", "-f", "followed"], env=daemon.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        seen = []
        for line in process.stdout:
            seen.append(line)
            if "whispered before" in line:
                daemon.request("/followed?word=after")
            if "whispered after" in line:
                break
        assert sum("said before" in line for line in seen) == 1
        assert sum("said after" in line for line in seen) == 1
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def test_a_line_of_a_megabyte_is_cut_and_marked(daemon):
    daemon.deploy("logs-a-megabyte", VICTIMS / "logs-a-megabyte.js")
    assert daemon.request("/logs-a-megabyte/bad").text == "logged"
    got = wait_for(daemon, "logs-a-megabyte", "begin xxx")
    line = next(line for line in got if line["text"].startswith("begin"))
    assert 1000 < len(line["text"]) < 100_000
    assert any(key in line for key in ("cut", "truncated", "length", "full_length", "bytes")), sorted(line)


@pytest.mark.parametrize("victim", ["floods-the-log", "floods-stdout"])
def test_a_flood_blocks_nobody_and_is_bounded(daemon, victim):
    daemon.deploy(victim, VICTIMS / f"{victim}.js", timeout="20s")
    daemon.deploy("quiet", "export default { fetch: () => new Response('quiet') };")
    began = time.monotonic()
    for _ in range(3):
        assert daemon.request(f"/{victim}/bad").text == "flooded"
        assert daemon.request("/quiet").text == "quiet"
    assert time.monotonic() - began < 15
    size = sum(path.stat().st_size for path in daemon.folder.rglob("*") if path.is_file() and "log" in str(path))
    assert size < 200 << 20
    assert daemon.request(f"/{victim}").text == "fine"


def test_a_log_that_was_cut_by_a_flood_says_how_much_is_missing(daemon):
    daemon.deploy("floods-the-log", VICTIMS / "floods-the-log.js", timeout="20s")
    daemon.request("/floods-the-log/bad")
    time.sleep(0.5)
    got = lines(daemon, "floods-the-log", tail=10_000)
    numbers = [int(line["text"].split()[1]) for line in got if line["text"].startswith("line ")]
    gaps = sum(b != a + 1 for a, b in zip(numbers, numbers[1:]) if b > a)
    assert not gaps or any("dropped" in line["text"] for line in got), "lines are missing silently"


def test_text_that_bypasses_the_console(daemon):
    daemon.deploy(
        "raw",
        """import { writeSync } from "node:fs";
        export default { fetch() {
          process.stdout.write("by process.stdout\\n");
          process.stderr.write("by process.stderr\\n");
          writeSync(1, "by descriptor 1\\n");
          writeSync(2, "by descriptor 2\\n");
          return new Response("written");
        } };""",
        file="index.mjs",
    )
    assert daemon.request("/raw").text == "written"
    for text in ("by process.stdout", "by process.stderr", "by descriptor 1", "by descriptor 2"):
        wait_for(daemon, "raw", text)


def test_what_was_said_last_is_kept_when_the_instance_dies(daemon):
    daemon.deploy(
        "last-words",
        """export default { fetch() { console.log("my last words"); process.kill(process.pid, "SIGKILL"); } };""",
    )
    assert daemon.request("/last-words").status == 502
    wait_for(daemon, "last-words", "my last words")


def test_init_logs_are_kept(daemon):
    daemon.deploy("init-talks", "console.log('said at init');\nexport default { fetch: () => new Response('x') };")
    wait_for(daemon, "init-talks", "said at init")


def test_logs_survive_a_restart_of_the_daemon(start_daemon):
    own = start_daemon()
    own.deploy("talks", TALKS)
    own.request("/talks?word=kept")
    wait_for(own, "talks", "whispered kept")
    own.restart()
    assert any("said kept" in line["text"] for line in lines(own, "talks"))


def test_logs_of_a_function_that_is_not_there(daemon):
    answer = daemon.admin("/v1/functions/nobody/logs")
    assert answer.status == 404 and answer.problem.startswith("urn:mayfly:")
