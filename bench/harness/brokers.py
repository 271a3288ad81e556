"""Servers that take events, beside the daemon: NATS with JetStream and Redis with streams, from Debian's packages,
unpacked into the build tree: nothing is installed, no service starts. Both are set to sync before they acknowledge."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile

from .servers import NotAvailable, Server

# What the server needs that a machine may not have. NATS can sync always since 2.10, which Debian has since 13;
# a static program, so that one runs anywhere.
REDIS = ["redis-server", "redis-tools", "liblzf1", "libjemalloc2", "libatomic1"]
NATS, NATS_SUITE, NATS_LEAST = "nats-server", "trixie", (2, 10)


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise NotAvailable(f"{' '.join(command[:2])}: " + (done.stderr or done.stdout).strip()[-300:])
    return done.stdout


def of_another_suite(folder, suite):
    """Options with which apt looks at a newer Debian, from where this machine gets its own, without touching that."""
    if shutil.which("apt-get") is None:
        raise NotAvailable("there is no apt here")
    targets = run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Component: main", "Origin: Debian")
    archive = next((line for line in targets.splitlines() if line.rstrip("/").endswith("/debian")), None)
    keys = pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    if archive is None or not keys.exists():
        raise NotAvailable("this machine gets no packages from Debian")
    apt = folder / "apt"
    for part in ("lists/partial", "cache/archives/partial"):
        (apt / part).mkdir(parents=True, exist_ok=True)
    (apt / "sources.list").write_text(f"deb [signed-by={keys}] {archive} {suite} main\n")
    options = [f"-oDir::Etc::sourcelist={apt}/sources.list", "-oDir::Etc::sourceparts=/dev/null", f"-oDir::State::lists={apt}/lists",
               f"-oDir::Cache={apt}/cache", "-oAcquire::Languages=none"]
    run("apt-get", *options, "update")
    return options


def unpack(folder, packages, options=()):
    """Their files, below a folder of the build tree."""
    if shutil.which("apt-get") is None:
        raise NotAvailable("there is no apt here")
    fetched = folder / "fetched"
    fetched.mkdir(parents=True, exist_ok=True)
    for package in packages:
        run("apt-get", *options, "download", package, cwd=fetched)
        for file in fetched.glob(f"{package}_*.deb"):
            run("dpkg-deb", "-x", str(file), str(folder / "root"))


def version_of(binary, environment):
    found = re.search(r"v=?(\d+)\.(\d+)\.(\d+)", run(str(binary), "--version", env=environment))
    return tuple(int(part) for part in found.groups()) if found else (0,)


class Broker(Server):
    """An empty folder beside the daemon's, on the same file system."""

    def __init__(self, log_folder, peers):
        super().__init__(log_folder)
        self.peers = peers / "debian"
        self.data = pathlib.Path(tempfile.mkdtemp(prefix="data-", dir=log_folder))
        libraries = self.peers / "root/usr/lib" / f"{os.uname().machine}-linux-gnu"
        self.environment = os.environ | {"LD_LIBRARY_PATH": str(libraries)}

    def version(self):
        return ".".join(str(part) for part in version_of(self.binary, self.environment))

    def stop(self):
        super().stop()
        shutil.rmtree(self.data, ignore_errors=True)


class Nats(Broker):
    """JetStream with its file store."""

    name = "nats"
    protocol = "nats"

    def start(self):
        self.binary = self.peers / "root/usr/sbin/nats-server"
        if not self.binary.exists() or version_of(self.binary, None) < NATS_LEAST:
            unpack(self.peers, [NATS], of_another_suite(self.peers, NATS_SUITE))
        configuration = self.data / "nats.conf"
        configuration.write_text(f'listen: "127.0.0.1:{self.port}"\n'
                                 f'jetstream {{ store_dir: "{self.data}/jetstream", sync_interval: always }}\n')
        self.spawn([str(self.binary), "-c", str(configuration)])

    def make(self, topic):
        """A stream with a subject, both of this name. Returns what is published to."""
        wish = f'{{"name":"{topic}","subjects":["{topic}"],"storage":"file","retention":"limits","discard":"old"}}'
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
            connection.sendall(b'CONNECT {"verbose":false}\r\nSUB _INBOX.made 1\r\n'
                               + f"PUB $JS.API.STREAM.CREATE.{topic} _INBOX.made {len(wish)}\r\n{wish}\r\n".encode())
            answer = b""
            while b"MSG _INBOX.made" not in answer or not answer.endswith(b"}\r\n"):
                more = connection.recv(65536)
                if not more:
                    break
                answer += more
        if b'"error"' in answer or b"stream_create_response" not in answer:
            raise NotAvailable("nats: " + answer.decode(errors="replace")[-300:])
        return topic


class Redis(Broker):
    """Streams with an append-only file."""

    name = "redis"
    protocol = "redis"

    def start(self):
        self.binary = self.peers / "root/usr/bin/redis-server"
        if not self.binary.exists():
            unpack(self.peers, REDIS)
        self.spawn([str(self.binary), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.data), "--save", "",
                    "--appendonly", "yes", "--appendfsync", "always"], env=self.environment)

    def make(self, topic):
        """A stream is there when something is added to it."""
        return topic
