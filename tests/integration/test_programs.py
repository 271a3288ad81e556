"""Go and Rust functions, built from source by the server. Skipped where there is no toolchain."""

import os
import shutil
import time
from pathlib import Path

import pytest

HOME = Path(os.environ.get("HOME", "/"))


def toolchain(name: str, *places: str) -> bool:
    return shutil.which(name) is not None or any(Path(place, name).exists() for place in places)


go = pytest.mark.skipif(not toolchain("go", "/usr/local/go/bin"), reason="Go is not installed")
rust = pytest.mark.skipif(not toolchain("cargo", str(HOME / ".cargo/bin")), reason="Cargo is not installed")

GO_MOD = "module example.org/tests/{name}\n\ngo 1.18\n"
GO_MAIN = 'package main\n\nimport "os"\n\nfunc main() { os.Stdout.WriteString("%s\\n") }\n'
CARGO = '[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n'


@pytest.fixture(scope="module")
def daemon(start_daemon, tmp_path_factory):
    """With a cache of its own for programs, but that of all tests for what the toolchains compile themselves."""
    return start_daemon()


def project(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def unique(text: str) -> str:
    """A source that no earlier run of the test has left in the cache."""
    return f"{text} {time.time_ns()}"


@go
def test_a_go_program_is_built_once(daemon, tmp_path):
    said = unique("hello from Go")
    folder = project(tmp_path, {"go.mod": GO_MOD.format(name="once"), "main.go": GO_MAIN % said})
    daemon.cli("deploy", folder, "--name", "go-once", timeout=600)
    assert daemon.request("/go-once").text == said + "\n"
    before = time.monotonic()
    again = daemon.cli("deploy", folder, "--name", "go-once", timeout=600).stdout
    assert "go-once@1" in again, again
    assert time.monotonic() - before < 10


@go
def test_go_that_does_not_compile(daemon, tmp_path):
    folder = project(tmp_path, {"go.mod": GO_MOD.format(name="bad"), "main.go": GO_MAIN % "good"})
    daemon.cli("deploy", folder, "--name", "go-bad", timeout=600)
    project(tmp_path, {"main.go": "package main\n\nfunc main() {\n\tmissing()\n}\n"})
    refused = daemon.cli("deploy", folder, "--name", "go-bad", check=False, timeout=600)
    assert refused.returncode != 0
    assert "main.go:4" in refused.stdout + refused.stderr and "undefined: missing" in refused.stdout + refused.stderr
    assert daemon.request("/go-bad").text == "good\n", "the old version serves on"


@go
def test_a_go_module_without_a_program(daemon, tmp_path):
    folder = project(tmp_path, {"go.mod": GO_MOD.format(name="library"), "lib.go": "package lib\n"})
    refused = daemon.cli("deploy", folder, "--name", "go-library", check=False, timeout=600)
    assert refused.returncode != 0 and "main" in refused.stdout + refused.stderr, refused.stderr


@go
def test_a_vendored_go_module_needs_no_network(daemon, tmp_path):
    mod = GO_MOD.format(name="vendored") + "\nrequire example.org/no/such v1.0.0\n"
    vendor = {
        "vendor/modules.txt": "# example.org/no/such v1.0.0\n## explicit; go 1.18\nexample.org/no/such\n",
        "vendor/example.org/no/such/such.go": 'package such\n\nconst Word = "vendored"\n',
    }
    main = 'package main\n\nimport (\n\t"os"\n\n\t"example.org/no/such"\n)\n\nfunc main() { os.Stdout.WriteString(such.Word) }\n'
    folder = project(tmp_path, {"go.mod": mod, "main.go": main, **vendor})
    daemon.cli("deploy", folder, "--name", "go-vendored", timeout=600)
    assert daemon.request("/go-vendored").text == "vendored"


@go
def test_a_go_program_below_the_module(daemon, tmp_path):
    folder = project(tmp_path, {"go.mod": GO_MOD.format(name="deep"), "cmd/serve/main.go": GO_MAIN % "from below", "lib.go": "package deep\n"})
    daemon.cli("deploy", folder, "--name", "go-deep", timeout=600)
    assert daemon.request("/go-deep").text == "from below\n"


@rust
def test_a_rust_program(daemon, tmp_path):
    said = unique("hello from Rust")
    folder = project(tmp_path, {"Cargo.toml": CARGO.format(name="hello"), "src/main.rs": f'fn main() {{ println!("{said}") }}\n'})
    daemon.cli("deploy", folder, "--name", "rust-hello", timeout=600)
    assert daemon.request("/rust-hello").text == said + "\n"
    project(folder, {"src/main.rs": "fn main() {\n    missing();\n}\n"})
    refused = daemon.cli("deploy", folder, "--name", "rust-hello", check=False, timeout=600)
    assert refused.returncode != 0
    assert "src/main.rs:2" in refused.stdout + refused.stderr and "missing" in refused.stdout + refused.stderr
    assert daemon.request("/rust-hello").text == said + "\n", "the old version serves on"


@rust
def test_a_build_script_has_no_network_and_writes_nowhere(daemon, tmp_path):
    """What it tried is what the program says."""
    script = """fn main() {
    let network = std::net::TcpStream::connect(("192.0.2.1", 9)).map(|_| ()).map_err(|e| e.raw_os_error());
    let outside = std::fs::write("/etc/mayfly-test", "x").is_ok() || std::fs::write("/mayfly-test", "x").is_ok();
    let root = unsafe { geteuid() } == 0;
    println!("cargo:rustc-env=TRIED={network:?} {outside} {root}");
}
extern "C" { fn geteuid() -> u32; }
"""
    main = f'fn main() {{ println!("{{}}", env!("TRIED")) }}\n// {unique("")}\n'
    folder = project(tmp_path, {"Cargo.toml": CARGO.format(name="tries"), "build.rs": script, "src/main.rs": main})
    daemon.cli("deploy", folder, "--name", "rust-tries", timeout=600)
    said = daemon.request("/rust-tries").text
    assert said == "Err(Some(101)) false false\n", "ENETUNREACH"


@rust
def test_a_broken_manifest(daemon, tmp_path):
    folder = project(tmp_path, {"Cargo.toml": "[package\n"})
    refused = daemon.cli("deploy", folder, "--name", "rust-broken", check=False, timeout=600)
    assert refused.returncode != 0 and "Cargo.toml" in refused.stdout + refused.stderr
