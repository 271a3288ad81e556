"""Functions that want out, or too much: contained, named, and their neighbour unharmed; as root and as an ordinary user.

docs/threat-model.md has this table for people.
"""

import io
import os
import re
import socket
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.daemon import REPOSITORY, Daemon
from support.load import Load
from support.processes import descendants, eventually
from support.users import USERS, daemon_of

VICTIMS = REPOSITORY / "tests" / "victims"
FILES = {"python": "gets-out.py", "node": "gets-out.js", "native": "gets-out.cpp", "exec": "gets-out.sh"}
SECRET = "the-secret-of-another"


@dataclass(frozen=True)
class Row:
    """`tried` by the functions of `runtimes`; `given` is formatted with what the fixture knows.

    Contained: the status, no ESCAPED in the answer, and no answer that `named` does not fit. Named: by the answer, the
    problem document, or the function's log. `needs`: a layer, or a means of the daemon (skip_without), without which
    the row cannot hold.
    """

    tried: str
    runtimes: str
    named: str
    status: int = 200
    given: str = ""
    needs: str = ""
    function: str = ""  # deployed with other settings

    def __str__(self):
        return f"{self.tried}-{self.function or self.given}"


def dies_of(call: str, tried: str, runtimes: str, given: str = "", **more) -> Row:
    return Row(tried, runtimes, f"forbidden system call: {call}", 502, given, **more)


NO_SUCH_FILE = "ENOENT|No such file"
ROWS = [
    # -- what is not its own
    Row("reads", "python node exec", NO_SUCH_FILE, given="{data}/admin-token"),
    Row("reads", "python node exec", NO_SUCH_FILE, given="{data}/secret-key"),
    Row("reads", "python", NO_SUCH_FILE, given="{data}/mayfly.db"),
    Row("reads", "python node exec", NO_SUCH_FILE, given="{source of neighbour}"),
    Row("reads", "python", NO_SUCH_FILE, given="/host{source of neighbour}"),
    Row("reads", "python", NO_SUCH_FILE, given="/etc/shadow"),
    Row("links", "python", NO_SUCH_FILE, given="{data}/admin-token"),
    Row("reads", "python node exec", "EACCES|Permission denied", given="/proc/1/environ"),
    Row("reads", "python exec", "EACCES|Permission denied", given="/proc/1/root/etc/passwd"),
    Row("reads", "python", "EACCES", given="/proc/1/mem"),
    Row("reads_others", "python node", "refused: all"),
    Row("writes_its_source", "python node exec", "EROFS|EACCES|Read-only file system|Permission denied"),
    Row("overwrites_the_interpreter", "python", "EROFS|ETXTBSY|EACCES"),
    Row("writes_to_the_kernel", "python", "refused: all"),
    # -- other processes
    Row("signals_others", "python node", "refused: all", needs="landlock"),
    Row("limits_others", "python", "refused: all"),
    Row("lowers_others", "python", "refused: all"),
    dies_of("kill", "kills_everybody", "python node"),
    Row("kills_everybody", "exec", "status 159"),
    Row("kills_its_group", "python", "SIGKILL", 502),
    # -- system calls
    dies_of("ptrace", "ptrace", "native"),
    dies_of("mount", "mount", "native"),
    dies_of("unshare", "unshare", "native"),
    dies_of("clone", "clone", "native"),
    dies_of("ptrace", "makes_call", "python", "101"),
    dies_of("process_vm_readv", "makes_call", "python", "310"),
    dies_of("bpf", "makes_call", "python", "321"),
    dies_of("keyctl", "makes_call", "python", "250"),
    dies_of("userfaultfd", "makes_call", "python", "323"),
    dies_of("setns", "makes_call", "python", "308"),
    dies_of("open_by_handle_at", "makes_call", "python", "304"),
    Row("makes_call", "python", "ENOSYS", given="425"),  # io_uring_setup
    Row("makes_call", "python", "ENOSYS", given="29"),  # shmget
    Row("makes_call", "python", "ENOSYS", given="64"),  # semget
    Row("makes_call", "python", "ENOSYS", given="68"),  # msgget
    Row("makes_call", "python", "ENOSYS", given="240"),  # mq_open
    Row("makes_call", "python", "SIGSYS|forbidden system call", 502, given="1073741863"),  # getpid of x32
    Row("io_uring", "native", "ENOSYS"),
    Row("io_setup", "native", "ENOSYS"),
    Row("clone3", "native", "ENOSYS"),
    Row("mounts-of-its-own", "native", "EPERM"),
    Row("32-bit", "native", "SIGSYS|forbidden system call", 502),
    Row("x32", "native", "SIGSYS|forbidden system call", 502),
    Row("raw_socket", "python", "EPERM"),
    Row("packet_socket", "python", "EAFNOSUPPORT"),
    Row("odd_sockets", "python", "opened: route, tcp, udp$"),
    Row("reads_of_the_machine", "python", r"told: \[\]"),
    # -- the network
    Row("connects", "python node", "refused", given="{admin port}", function="alone"),
    Row("connects", "python node", "refused", given="{port}", function="alone"),
    Row("connects", "python node", "refused", given="{admin port}", needs="network"),
    Row("connects", "python", "refused", given="{port}", needs="network"),
    Row("connects", "python", "answered: HTTP/1.1 401", given="{admin port}", function="on-the-host"),
    Row("connects_abstract", "python", "EPERM", given="{abstract socket}", function="on-the-host", needs="landlock"),
    # -- too much
    Row("opens_files", "python node", "EMFILE after [0-9]{3}"),
    Row("fills_the_disk", "python node exec", "ENOSPC after 6[34] MiB|No space left on device"),
    Row("eats_memory", "python node native", "memory limit", 502, needs="memory"),
    Row("forks", "python node native exec", "process limit", 502, needs="processes"),
    Row("loops", "python node native exec", "deadline", 504, function="hurried"),
    Row("loops_deaf", "python", "deadline", 504, function="hurried"),
    Row("stops", "python node native exec", "deadline", 504, function="hurried"),
]
SETTINGS = {
    "": {"timeout": "15s", "memory": "96MiB", "concurrency": "1", "max_instances": "3"},
    "alone": {"network": "none"},
    "on-the-host": {"network": "host"},
    "hurried": {"timeout": "500ms", "concurrency": "1"},
}
CASES = [pytest.param(row, runtime, id=f"{row}-{runtime}") for row in ROWS for runtime in row.runtimes.split()]


@pytest.fixture(scope="module", params=USERS)
def platform(request):
    with daemon_of(request.param) as daemon:
        daemon.start()
        daemon.cli("secret", "set", "KEY", stdin=_text(SECRET))
        daemon.deploy("neighbour", "export default { fetch: () => new Response('unharmed') };", secrets="KEY")
        yield daemon
        assert daemon.stop() == 0


def _text(text: str):
    file = io.open(os.memfd_create("text"), "w+b")
    file.write(text.encode())
    file.seek(0)
    return file


@pytest.fixture(scope="module")
def abstract():
    """A socket of the host that has no file."""
    name = f"mayfly-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0" + name)
        listener.listen()
        yield name


@pytest.fixture(scope="module")
def known(platform, abstract):
    sources = {path.parent: path for path in (platform.folder / "sources").rglob("*") if path.is_file()}
    assert sources, "the neighbour's source is not where it was"
    return {"data": platform.folder, "port": platform.port, "admin port": platform.admin_port, "abstract socket": abstract,
            "source of neighbour": next(iter(sources.values())), "deployed": set(),
            "limits": "processes" in platform.describe("neighbour")["config"],
            "networks": platform.put("allowed", "export default { fetch: () => new Response('x') };", network_allow="10.0.0.1").status in (200, 201)}


@pytest.fixture(scope="module")
def neighbour(platform):
    with Load(platform.url + "/neighbour", threads=1, classify=lambda answer: (answer.status, answer.text)) as load:
        yield load


def deployed(platform, known, runtime: str, kind: str = "") -> str:
    name = f"{runtime}-{kind or 'plain'}"
    if name not in known["deployed"]:
        platform.deploy(name, VICTIMS / FILES[runtime], **SETTINGS[kind], **({"processes": "64"} if known["limits"] else {}))
        known["deployed"].add(name)
    return name


def skip_without(platform, known, name: str, layer: str) -> None:
    """Only where the daemon itself says that it is not there."""
    if layer in ("memory", "processes"):
        if not known["limits"]:
            pytest.skip("this daemon limits neither memory nor processes")
        return
    if layer == "memory group":
        limits = (platform.describe(name)["live"].get("templates") or [{}])[0].get("limits", {})
        if "memory_limit_bytes" not in limits:
            pytest.skip("no control group limits memory")
        return
    if layer == "network":
        if not known["networks"]:
            pytest.skip("this daemon has no networks for functions")
        return
    layers = {each["name"]: each for each in platform.admin("/v1/status").json["sandbox"]}
    if not layers[layer]["there"]:
        pytest.skip(layers[layer]["reason"])


def unharmed(load: Load) -> None:
    load.wait_for(2)
    assert set(load.outcomes) == {(200, "unharmed")}, load.outcomes


@pytest.mark.parametrize("row, runtime", CASES)
def test_it_is_contained_and_named_and_its_neighbour_unharmed(platform, known, neighbour, row, runtime):
    name = deployed(platform, known, runtime, row.function)
    if row.needs:
        skip_without(platform, known, name, row.needs)
    given = re.sub(r"\{(.*?)\}", lambda match: str(known[match[1]]), row.given)
    # A sibling that serves meanwhile: whoever looks for others finds it, and it must live.
    with platform.wire() as sibling:
        beside = row.tried.endswith("_others") or row.tried == "kills_its_group"
        if beside:
            sibling.get(f"/{name}/hold?with=1")
        answer = platform.request(f"/{name}/{row.tried}?with={given}", timeout=40)
        if beside:
            assert sibling.answer().text == "held", "a sibling was harmed"
    assert "ESCAPED" not in answer.text, answer.text
    assert answer.status == row.status, answer.text

    def named():
        return re.search(row.named, answer.text + platform.cli("logs", name).stdout)

    assert re.search(row.named, answer.text) or eventually(named, what=f"{row.named} in {answer.text} or the log")
    assert platform.request(f"/{name}/fine").text.strip() == "fine"
    unharmed(neighbour)


def landlock_scopes(platform) -> bool:
    layer = next(each for each in platform.admin("/v1/status").json["sandbox"] if each["name"] == "landlock")
    return layer["there"] and int(layer["reason"].split()[-1]) >= 6


def test_no_descriptor_of_anyone_else_is_open(platform, known):
    name = deployed(platform, known, "python")
    for opened in platform.request(f"/{name}/lists_descriptors").text.split():
        number, target = opened.split("=", 1)
        assert re.match(r"/dev/null$|/dev/u?random$|/proc/[0-9]+/fd$|socket:|pipe:|anon_inode:|/memfd:", target), opened
        assert "db" not in target and str(platform.folder) not in target, opened


def named_processes(root: int, name: str) -> list[int]:
    found = []
    for pid in descendants(root):
        try:
            found += [pid] if Path(f"/proc/{pid}/comm").read_text().strip() == name else []
        except OSError:
            pass
    return found


def test_a_child_that_left_the_family_ends_with_its_instance(platform, known, neighbour):
    platform.deploy("parent", VICTIMS / FILES["python"])
    assert platform.request("/parent/leaves_a_child").text == "left"
    assert named_processes(platform.process.pid, "left-behind"), "it is there while its instance is"
    assert platform.admin("/v1/functions/parent/evict?what=instances", "POST").status < 300
    eventually(lambda: not named_processes(platform.process.pid, "left-behind"), what="the child is gone")
    unharmed(neighbour)


LEAVES_A_PROCESS = """
import ctypes, os, time
if os.fork() == 0:
    ctypes.CDLL(None).prctl(15, b"left-loading", 0, 0, 0)  # PR_SET_NAME
    time.sleep(600)
    os._exit(0)
def handler(event, context):
    return "served"
"""


def test_a_process_that_loading_leaves_is_kept_by_no_template(platform, neighbour):
    platform.deploy("leaver", LEAVES_A_PROCESS, file="leaver.py")
    eventually(lambda: not named_processes(platform.process.pid, "left-loading"), what="it is gone before there is an instance")
    assert platform.request("/leaver").text == "served"
    assert "init left 1 process(es) running" in platform.cli("describe", "leaver").stdout
    assert platform.admin("/v1/functions/leaver/evict?what=instances", "POST").status < 300
    eventually(lambda: not named_processes(platform.process.pid, "left-loading"), what="it ends with its instance")
    unharmed(neighbour)


def test_children_of_a_bounded_fork_bomb_end_with_it(platform, neighbour):
    platform.deploy("bomb", VICTIMS / FILES["python"], timeout="3s")
    platform.request("/bomb/forks", timeout=40)
    assert platform.admin("/v1/functions/bomb/evict?what=instances", "POST").status < 300
    eventually(lambda: len(descendants(platform.process.pid)) < 100, what="what it forked is gone")
    unharmed(neighbour)


FORKS_WHILE_LOADING = """
import os, signal
children, refused = [], ""
for _ in range(600):
    try:
        pid = os.fork()
    except OSError as error:
        refused = error.strerror
        break
    if pid == 0:
        signal.pause()
        os._exit(0)
    children.append(pid)
for pid in children:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
def handler(event, context):
    return f"{len(children)} {refused}"
"""


@pytest.mark.parametrize("whose", USERS)
def test_a_fork_bomb_without_control_groups_meets_a_limit_of_the_kernel(whose):
    with daemon_of(whose) as daemon:
        daemon.options += ("--cgroups", "off")
        daemon.start()
        layers = {each["name"]: each for each in daemon.admin("/v1/status").json["sandbox"]}
        if not layers["namespaces"]["there"]:
            pytest.skip(layers["namespaces"]["reason"])
        daemon.deploy("bomb", FORKS_WHILE_LOADING, file="bomb.py", processes="20", max_instances="2")
        children, refused = daemon.request("/bomb").text.split(" ", 1)
        # 20 for each of two, 16 for what their runtimes need, 32 to spare.
        assert 60 <= int(children) <= 2 * 20 + 2 * 16 + 32 and "unavailable" in refused, (children, refused)
        assert daemon.stop() == 0


def test_a_gigabyte_of_log_is_bounded(platform, neighbour):
    platform.deploy("talker", VICTIMS / FILES["python"], timeout="60s")
    assert platform.request("/talker/logs", timeout=70).text == "logged"
    size = sum(file.stat().st_size for file in (platform.folder / "logs").rglob("*") if file.is_file())
    assert size < 200 << 20, f"{size >> 20} MiB of log"
    eventually(lambda: "dropped" in platform.cli("logs", "talker", "--tail", "5").stdout
               or "dropped" in "".join(f.read_text(errors="replace") for f in (platform.folder / "logs").rglob("*talker*") if f.is_file()),
               what="how much of it is missing")
    unharmed(neighbour)


def test_an_answer_that_never_ends_ends_at_the_deadline(platform, neighbour):
    platform.deploy("endless", VICTIMS / FILES["node"], timeout="500ms")
    with platform.wire() as client:
        client.get("/endless/never_ends")
        assert client.head().status == 200
        assert not client.rest().endswith(b"0\r\n\r\n"), "it looks whole"
    eventually(lambda: "deadline" in str(platform.describe("endless")["live"]["failures"]), what="the deadline is named")
    assert platform.request("/endless/fine").text == "fine"
    unharmed(neighbour)


def test_a_secret_is_not_in_reach_of_others(platform, known):
    name = deployed(platform, known, "python")
    listed = platform.request(f"/{name}/reads?with=/proc/self/environ").body
    assert SECRET.encode() not in listed


def test_a_link_in_an_archive_leads_nowhere(platform, neighbour):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        source = b"import os\ndef handler(event, context):\n    try:\n        return 'ESCAPED ' + open(os.path.dirname(os.path.abspath(__file__)) + '/way-out').read()\n    except OSError as error:\n        return 'refused: ' + error.strerror\n"
        about = tarfile.TarInfo("main.py")
        about.size = len(source)
        archive.addfile(about, io.BytesIO(source))
        link = tarfile.TarInfo("way-out")
        link.type, link.linkname = tarfile.SYMTYPE, str(platform.folder / "admin-token")
        archive.addfile(link)
    answer = platform.put("linked", packed.getvalue(), "linked.tar.gz")
    if answer.status in (200, 201):
        answer = platform.request("/linked")
        assert answer.text.startswith("refused: No such file"), answer.text
    else:
        assert answer.status in (400, 422) and "way-out" in answer.text, answer.text
    unharmed(neighbour)


def test_what_a_template_does_with_its_one_right_stays_its_own(platform, neighbour, abstract):
    own = Path(f"/proc/{platform.process.pid}/mountinfo").read_text()
    answer = platform.put("mover", VICTIMS / "misuses-its-template.py", network="host", **{"env.ABSTRACT": abstract})
    if answer.status in (200, 201):
        answer = platform.request("/mover")
        assert "ESCAPED" not in answer.text, answer.text
        assert "abstract socket: done" not in answer.text or not landlock_scopes(platform), answer.text
    assert Path(f"/proc/{platform.process.pid}/mountinfo").read_text() == own
    platform.deploy("after", "export default { fetch: () => new Response('after') };")
    assert platform.request("/after").text == "after"
    unharmed(neighbour)


def test_cores_are_not_written(platform, known):
    name = deployed(platform, known, "exec")
    limits = platform.request(f"/{name}/reads?with=/proc/self/limits").text
    soft, hard = re.search(r"Max core file size +(\d+) +(\d+)", limits).groups()
    assert int(soft) <= 1 and int(hard) <= 1


def test_without_a_sandbox_it_says_so_everywhere(tmp_path):
    daemon = Daemon(tmp_path / "data", "--sandbox", "off").start()
    try:
        assert "THE SANDBOX IS OFF" in daemon.last_words()
        assert not any(layer["there"] for layer in daemon.admin("/v1/status").json["sandbox"])
        daemon.deploy("free", "export default { fetch: () => new Response('free') };")
        assert daemon.request("/free").text == "free"
        assert "switched off" in daemon.cli("describe", "free").stdout
        assert "switched off" in daemon.cli("doctor", check=False).stdout
    finally:
        daemon.stop()
