"""What functions reach, with a whole daemon inside a small internet. The file runs itself again in namespaces of its own."""

import os
import shutil
import subprocess
import sys

import pytest

from support import processes, small_internet
from support.daemon import Daemon
from support.processes import eventually
from support.small_internet import HOST, INTERNET, NAME, PRIVATE, inside
from support.users import USERS, daemon_of

INSIDE = "MAYFLY_TEST_SMALL_INTERNET"

NODE = """
export default { async fetch(request) {
  try { return await fetch(await request.text(), { signal: AbortSignal.timeout(5000) }); }
  catch (error) { return new Response(`no: ${error.cause?.code ?? error.name}`); }
} };
"""
PYTHON = """
import errno, urllib.request
def handler(event, context):
    try:
        return urllib.request.urlopen(event["body"], timeout=5).read().decode()
    except OSError as error:
        reason = getattr(error, "reason", error)
        return "no: " + errno.errorcode.get(getattr(reason, "errno", 0) or 0, repr(reason))
"""
SHELL = """#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
cat /proc/net/dev
"""
RUNTIMES = {"node": ("reach.js", NODE), "python": ("reach.py", PYTHON)}

if INSIDE not in os.environ:

    def test_in_namespaces_of_its_own():
        if subprocess.run(inside("true")).returncode != 0:
            pytest.skip("this host allows no namespaces")
        users = ",".join(USERS if os.geteuid() == 0 else USERS[:1])
        done = subprocess.run(
            inside(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", __file__),
            env={**os.environ, INSIDE: users}, capture_output=True, text=True, timeout=170)
        print(done.stdout, done.stderr)
        assert done.returncode == 0
        if " passed" not in done.stdout:
            pytest.skip(done.stdout)

else:

    @pytest.fixture(scope="module")
    def internet(tmp_path_factory):
        lacking = [tool for tool in ("ip", "nft", "slirp4netns") if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin")]
        if lacking or not os.path.exists("/dev/net/tun"):
            pytest.skip(f"not on this host: {lacking or '/dev/net/tun'}")
        internet = small_internet.Internet(tmp_path_factory.mktemp("internet"))
        yield internet
        internet.close()

    @pytest.fixture(scope="module", params=os.environ[INSIDE].split(","))
    def daemon(request, internet):
        with daemon_of(request.param) as daemon:
            yield daemon.start()
            if daemon.running:
                assert daemon.stop() == 0
        eventually(lambda: not uplinks(), what="the uplink is gone")

    def uplinks() -> list[int]:
        return [pid for pid in processes.process_table() if "slirp4netns" in processes.command_line(pid).split(" ")[0]]

    def deploy(daemon, runtime: str, name: str, **settings) -> str:
        file, source = RUNTIMES[runtime]
        daemon.deploy(name, source, file, **settings)
        return name

    def reach(daemon, function: str, url: str) -> str:
        answer = daemon.request(f"/{function}", "POST", body=url.encode(), headers={"content-type": "text/plain"})
        assert answer.status == 200, answer.text
        return answer.text

    @pytest.mark.parametrize("runtime", RUNTIMES)
    def test_outbound_reaches_the_internet_by_name_and_nothing_else(daemon, runtime):
        function = deploy(daemon, runtime, f"out-{runtime}")
        assert reach(daemon, function, f"http://{NAME}/") == "world"
        assert reach(daemon, function, f"http://{INTERNET}/") == "world"
        for address in PRIVATE:
            assert reach(daemon, function, f"http://{address}/") == "no: EHOSTUNREACH", address
        for address in HOST:
            assert reach(daemon, function, f"http://{address}:9000/") == "no: EHOSTUNREACH", address
        for port in (9000, daemon.admin_port, daemon.port):
            assert reach(daemon, function, f"http://127.0.0.1:{port}/") == "no: ECONNREFUSED", port

    @pytest.mark.parametrize("runtime", RUNTIMES)
    def test_an_allow_list_opens_what_it_says(daemon, runtime):
        function = deploy(daemon, runtime, f"some-{runtime}", network_allow=["10.1.2.0/24:5432", "192.168.77.1:9000"])
        assert reach(daemon, function, "http://10.1.2.3:5432/") == "world"
        assert reach(daemon, function, "http://10.1.2.3/") == "no: EHOSTUNREACH"
        assert reach(daemon, function, "http://192.168.77.1:9000/") == "host"
        assert reach(daemon, function, f"http://192.168.77.1:{daemon.admin_port}/") == "no: EHOSTUNREACH"
        assert reach(daemon, function, "http://192.168.0.5/") == "no: EHOSTUNREACH"

    @pytest.mark.parametrize("runtime", RUNTIMES)
    def test_none_reaches_nothing(daemon, runtime):
        function = deploy(daemon, runtime, f"none-{runtime}", network="none")
        assert reach(daemon, function, f"http://{INTERNET}/") == "no: ENETUNREACH"
        assert reach(daemon, function, "http://127.0.0.1:9000/") == "no: ECONNREFUSED"
        assert reach(daemon, function, f"http://{NAME}/").startswith("no: ")

    def test_none_has_a_loopback_alone(daemon):
        daemon.deploy("devices", SHELL, "devices.sh", network="none")
        lines = daemon.request("/devices").text.splitlines()[2:]
        assert [line.split(":")[0].strip() for line in lines] == ["lo"]

    @pytest.mark.parametrize("runtime", RUNTIMES)
    def test_host_has_to_be_asked_for(daemon, runtime):
        function = deploy(daemon, runtime, f"host-{runtime}", network="host")
        assert reach(daemon, function, "http://127.0.0.1:9000/") == "host"
        assert reach(daemon, function, f"http://{NAME}/") == "world"

    def test_nothing_is_missing(daemon):
        assert "outbound" not in str(daemon.describe(deploy(daemon, "node", "whole"))["live"]["sandbox_missing"])

    def test_without_an_uplink_there_is_no_network_and_describe_says_why(internet, tmp_path):
        (tmp_path / "no-tun").touch()
        subprocess.run(["mount", "--bind", tmp_path / "no-tun", "/dev/net/tun"], check=True)
        try:
            daemon = Daemon(tmp_path / "data").start()
            function = deploy(daemon, "node", "cut-off")
            for address in (f"{INTERNET}", f"{HOST[0]}:9000"):
                assert reach(daemon, function, f"http://{address}/") == "no: ENETUNREACH"
            assert reach(daemon, function, "http://127.0.0.1:9000/") == "no: ECONNREFUSED"
            assert "functions have no outbound network: the uplink" in str(daemon.describe(function)["live"]["sandbox_missing"])
            assert daemon.stop() == 0
        finally:
            subprocess.run(["umount", "/dev/net/tun"], check=True)

    def test_a_killed_daemon_leaves_no_uplink(daemon):  # the last: nobody restarts it
        assert len(uplinks()) == 1
        daemon.kill()
        eventually(lambda: not uplinks(), what="the uplink is gone")
