"""The servers that are compared: the daemon and its peers, each on a free port of 127.0.0.1."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

BENCH = pathlib.Path(__file__).resolve().parent.parent
PEERS = {"workerd": "1.20261117.1", "@google-cloud/functions-framework": "5.0.5"}


class NotAvailable(Exception):
    """A server cannot be measured here; the message says why."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, process, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NotAvailable(f"it exited with {process.returncode} at start")
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.02)
    raise NotAvailable(f"nothing listens on port {port} after {seconds} s")


def install_peers(folder):
    """npm install into a folder of the build tree, once. Returns node_modules."""
    modules = folder / "node_modules"
    if all((modules / name / "package.json").exists() for name in PEERS):
        return modules
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}\n')
    packages = [f"{name}@{version}" for name, version in PEERS.items()]
    done = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *packages],
        cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotAvailable("npm install of the peers failed: " + done.stderr.strip()[-300:])
    return modules


class Server:
    """A child process that listens. Ended by its own pid, never by a name."""

    name = "?"

    def __init__(self, log_folder):
        self.port = free_port()
        self.process = None
        self.log_path = log_folder / f"{self.name}.log"

    def spawn(self, command, **options):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options)
        wait_for_port(self.port, self.process)

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class RawNode(Server):
    """Node's http server, the same node binary that the daemon runs."""

    name = "node"

    def start(self):
        self.spawn([shutil.which("node"), str(BENCH / "peers/raw_node.cjs"), str(self.port)])


class Workerd(Server):
    """workerd with the very file that the daemon gets."""

    name = "workerd"

    def __init__(self, log_folder, modules, function="hello.js"):
        super().__init__(log_folder)
        self.modules, self.function = modules, function
        self.folder = tempfile.mkdtemp(prefix="mayfly-bench-")

    def start(self):
        binary = self.modules / "@cloudflare/workerd-linux-64/bin/workerd"
        if not binary.exists():
            raise NotAvailable("npm has no workerd binary for this machine")
        folder = pathlib.Path(self.folder)
        text = (BENCH / "peers/workerd.capnp").read_text()
        (folder / "config.capnp").write_text(text.replace("@PORT@", str(self.port)).replace("@FUNCTION@", "worker.js"))
        shutil.copy(BENCH / "functions" / self.function, folder / "worker.js")
        self.spawn([str(binary), "serve", str(folder / "config.capnp")])

    def stop(self):
        super().stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class FunctionsFramework(Server):
    """Google's framework: Express around the function. An extra, without a target."""

    name = "functions-framework"

    def __init__(self, log_folder, modules):
        super().__init__(log_folder)
        self.modules = modules

    def start(self):
        cli = self.modules / "@google-cloud/functions-framework/build/src/main.js"
        environment = os.environ | {"NODE_ENV": "production", "LOG_EXECUTION_ID": "false"}
        self.spawn(
            [shutil.which("node"), str(cli), "--target=hello", f"--port={self.port}",
             f"--source={BENCH / 'peers/functions_framework.cjs'}"], env=environment)


class Mayfly(Server):
    """The daemon on an empty data folder."""

    name = "mayfly"
    options = ()

    def __init__(self, log_folder, binary):
        super().__init__(log_folder)
        self.binary = binary
        self.admin_port = free_port()
        # Not below /tmp: of that functions see their own (docs/operations.md).
        self.data = pathlib.Path(tempfile.mkdtemp(prefix="data-", dir=log_folder))

    def start(self):
        if not self.binary.exists():
            raise NotAvailable(f"{self.binary} is not built")
        self.spawn([str(self.binary), "serve", "--data", str(self.data), "--listen", f"127.0.0.1:{self.port}",
                    "--admin", f"127.0.0.1:{self.admin_port}", *self.options])
        wait_for_port(self.admin_port, self.process)

    def stop(self):
        super().stop()
        shutil.rmtree(self.data, ignore_errors=True)
