"""Go and Rust functions, built from source by the server. Skipped where there is no toolchain."""

import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest

from support.daemon import BUILD

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


@go
def test_a_go_module_with_several_programs(daemon, tmp_path):
    folder = project(tmp_path, {"go.mod": GO_MOD.format(name="several"), "lib.go": "package several\n",
                                "cmd/one/main.go": GO_MAIN % "one", "cmd/two/main.go": GO_MAIN % "two"})
    refused = daemon.cli("deploy", folder, "--name", "go-several", check=False, timeout=600)
    assert refused.returncode != 0 and "(one, two)" in refused.stderr and 'program = "cmd/one"' in refused.stderr, refused.stderr
    daemon.cli("deploy", folder, "--name", "go-several", "--set", "program=cmd/two", timeout=600)
    assert daemon.request("/go-several").text == "two\n"
    refused = daemon.cli("deploy", folder, "--name", "go-several", "--set", "program=../x", check=False)
    assert refused.returncode != 0 and "program" in refused.stderr
    assert daemon.request("/go-several").text == "two\n", "the old version serves on"


def test_another_toolchain_builds_again(start_daemon, tmp_path):
    """A program that was kept is not one of the toolchain that is there now."""
    with tempfile.TemporaryDirectory(dir=BUILD) as tools:
        os.chmod(tools, 0o755)
        fake = Path(tools, "go")

        def write(word: str) -> None:
            fake.write_text('#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\n'
                            f"printf '#!/bin/sh\\necho {word}\\n' > \"$2/fake\"; chmod 755 \"$2/fake\"\n")
            fake.chmod(0o755)

        write("one")
        daemon = start_daemon(env={"MAYFLY_BUILD_CACHE": str(tmp_path / "cache"), "PATH": f"{tools}:{os.environ['PATH']}"})
        folder = project(tmp_path / "fake", {"go.mod": GO_MOD.format(name="fake"), "main.go": GO_MAIN % "never"})
        daemon.cli("deploy", folder)
        assert daemon.request("/fake").text == "one\n"
        write("another")
        daemon.cli("deploy", folder)
        assert daemon.request("/fake").text == "another\n"


def test_a_build_that_leaves_a_link_instead_of_a_program(start_daemon, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("#!/bin/sh\necho secret\n")
    secret.chmod(0o700)
    with tempfile.TemporaryDirectory(dir=BUILD) as tools:
        os.chmod(tools, 0o755)
        Path(tools, "go").write_text(f'#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\nln -s {secret} "$2/fake"\n')
        Path(tools, "go").chmod(0o755)
        daemon = start_daemon(env={"MAYFLY_BUILD_CACHE": str(tmp_path / "cache"), "PATH": f"{tools}:{os.environ['PATH']}"})
        folder = project(tmp_path / "fake", {"go.mod": GO_MOD.format(name="fake"), "main.go": GO_MAIN % "never"})
        refused = daemon.cli("deploy", folder, check=False)
        assert refused.returncode != 0 and daemon.request("/fake").status == 404, refused.stdout


@rust
def test_a_toolchain_that_is_not_there_is_named(daemon, tmp_path):
    folder = project(tmp_path, {"Cargo.toml": CARGO.format(name="pinned"), "src/main.rs": "fn main() { println!(\"x\") }\n",
                                "rust-toolchain.toml": '[toolchain]\nchannel = "1.0.0"\n'})
    done = daemon.cli("deploy", folder, "--name", "rust-pinned", timeout=600)
    assert "rust-toolchain.toml asks for '1.0.0'" in done.stderr, done.stderr


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
