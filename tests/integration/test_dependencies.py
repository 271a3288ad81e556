"""Packages that a deploy installs: npm's and pip's, shared by versions, built by code that is not trusted."""

import http.server
import json
import os
import shutil
import subprocess
import threading
import zipfile
from pathlib import Path

import pytest

from support.daemon import BINARY
from support.processes import eventually

EXPRESS_LOCK = Path(__file__).resolve().parents[2] / "examples/express/package-lock.json"

ABSENT = {
    "index.js": "export default () => new Response('x');",
    "package.json": json.dumps({"type": "module", "dependencies": {"express": "9999.0.1"}}),
}

needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")


@pytest.fixture(scope="module")
def daemon(start_daemon):
    return start_daemon("--build-limit", "60s")


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def express(folder: Path, text: str) -> Path:
    shutil.copytree(EXPRESS_LOCK.parent, folder, ignore=shutil.ignore_patterns("node_modules"))
    (folder / "index.js").write_text(
        f"const app = require('express')(); app.get('/', (q, a) => a.send('{text}')); module.exports = app;")
    return folder


def layers(daemon) -> list[Path]:
    return sorted((daemon.folder / "layers").iterdir())


def runs(daemon, name: str) -> bool:
    """Whether a program of this name runs below the daemon."""
    for pid in daemon.children():
        try:
            if name in Path(f"/proc/{pid}/cmdline").read_text():
                return True
        except OSError:
            pass  # it has just ended
    return False


def local_package(folder: Path, script: str) -> Path:
    """A function with one package of its own, whose install script is this; no network is needed for it."""
    write(folder, {
        "index.js": "import value from 'own'; export default () => new Response(String(value));",
        "package.json": json.dumps({"type": "module", "dependencies": {"own": "file:own"}}),
        "own/index.js": "module.exports = 'own';",
        "own/package.json": json.dumps({"name": "own", "version": "1.0.0", "scripts": {"postinstall": script}}),
    })
    subprocess.run(["npm", "install", "--package-lock-only", "--no-audit", "--no-fund"], cwd=folder, check=True,
                   capture_output=True)
    return folder


@needs_npm
def test_packages_of_a_lock_file_are_installed_once_and_shared(daemon, tmp_path):
    before = layers(daemon)
    assert "added" in daemon.cli("deploy", express(tmp_path / "one", "one"), "--name", "one", "--verbose").stderr
    assert daemon.request("/one/").body == b"one"
    made = [layer for layer in layers(daemon) if layer not in before]
    assert len(made) == 1 and (made[0] / "node_modules/express/package.json").exists()
    link = next((daemon.folder / "sources").glob("*/node_modules"))
    assert not os.path.isabs(os.readlink(link)) and link.resolve() == made[0].resolve() / "node_modules"

    # Another function with the same lock file: no tool runs, so none says anything.
    answer = daemon.cli("deploy", express(tmp_path / "two", "two"), "--name", "two", "--verbose")
    assert answer.stderr == ""
    assert daemon.request("/two/").body == b"two"
    assert made[0] in layers(daemon) and len(layers(daemon)) == len(before) + 1

    daemon.cli("delete", "one", "--yes")
    daemon.cli("delete", "two", "--yes")
    eventually(lambda: made[0] not in layers(daemon), 40)


@needs_npm
def test_an_install_script_runs_and_what_it_makes_is_there(daemon, tmp_path):
    script = "node -e \"require('fs').writeFileSync('index.js', 'module.exports = ' + process.getuid())\""
    folder = local_package(tmp_path / "scripted", script)
    output = daemon.cli("deploy", folder, "--verbose").stderr
    assert "postinstall" in output
    uid = int(daemon.request("/scripted").body)
    assert uid == os.getuid() if os.getuid() != 0 else uid >= 1_900_000_000, "never as the daemon of root"


@needs_npm
def test_a_package_with_a_program_of_its_own(daemon, tmp_path):
    folder = write(tmp_path / "bundles", {
        "package.json": json.dumps({"type": "module", "dependencies": {"esbuild": "0.25.0"}}),
        "index.js": """import { transform } from 'esbuild';
            export default async () => new Response((await transform('let x: number = 1', { loader: 'ts' })).code);""",
    })
    done = daemon.cli("deploy", folder)
    assert "no lock file" in done.stderr and "--package-lock-only" in done.stderr
    assert daemon.request("/bundles").body == b"let x = 1;\n"


@needs_npm
def test_typescript_is_bundled_with_what_was_installed(daemon, tmp_path):
    source = EXPRESS_LOCK.parents[1] / "typescript-npm"
    folder = tmp_path / "typed"
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("node_modules"))
    daemon.cli("deploy", folder, "--name", "typed")
    assert daemon.request("/typed", "POST", body=b"{}").status in (400, 422)


@needs_npm
@pytest.mark.parametrize("entry", ["index.js", "index.ts"])
def test_a_stack_through_a_package_names_no_folder_of_the_daemons(daemon, tmp_path, entry):
    folder = local_package(tmp_path / "stacks", "true")
    (folder / "index.js").unlink()
    write(folder, {entry: "import fail from 'own';\nexport default () => fail();\n",
                   "own/index.js": "module.exports = function fail() {\n  throw new Error('within');\n};\n"})
    daemon.cli("deploy", folder, "--name", "stacks")
    assert daemon.request("/stacks").status == 500
    lines = eventually(lambda: [line.strip() for line in daemon.cli("logs", "stacks").stdout.splitlines() if " at " in line][-2:])
    assert lines[0].endswith("(own/index.js:2:9)") and lines[1].endswith(f"({entry}:2:22)"), lines


@needs_npm
def test_a_package_that_does_not_exist_is_said_in_npms_words(daemon, tmp_path):
    folder = write(tmp_path / "absent", ABSENT)
    done = daemon.cli("deploy", folder, check=False)
    assert done.returncode != 0
    assert "ETARGET" in done.stderr and "express@9999.0.1" in done.stderr, done.stderr
    assert daemon.request("/absent").status == 404


@needs_npm
def test_a_lock_file_that_does_not_fit_is_refused(daemon, tmp_path):
    folder = express(tmp_path / "unfit", "x")
    package = json.loads((folder / "package.json").read_text())
    package["dependencies"]["nanoid"] = "^5.0.0"
    (folder / "package.json").write_text(json.dumps(package))
    done = daemon.cli("deploy", folder, "--name", "unfit", check=False)
    assert done.returncode != 0 and "package-lock.json" in done.stderr, done.stderr
    assert "Missing: nanoid" in done.stderr and "Usage" not in done.stderr and "--legacy-bundling" not in done.stderr, "no manual"


def test_lock_files_of_other_tools_are_named(daemon, tmp_path):
    folder = write(tmp_path / "pnpm", {**ABSENT, "pnpm-lock.yaml": "lockfileVersion: '9.0'\n"})
    done = daemon.cli("deploy", folder, check=False)
    assert done.returncode != 0 and "pnpm-lock.yaml" in done.stderr and "--vendored" in done.stderr


@needs_npm
def test_an_install_script_cannot_write_elsewhere(daemon, tmp_path):
    folder = local_package(tmp_path / "leaves", "echo hacked > /etc/mayfly-was-here")
    done = daemon.cli("deploy", folder, "--name", "leaves", check=False)
    assert done.returncode != 0 and "/etc/mayfly-was-here" in done.stderr, done.stderr
    assert not Path("/etc/mayfly-was-here").exists()
    assert daemon.request("/leaves").status == 404


@needs_npm
def test_an_install_script_does_not_see_the_data_folder(daemon, tmp_path):
    data = daemon.folder
    folder = local_package(tmp_path / "curious", f"ls {data}; cat {data}/admin-token; echo x >> {data}/mayfly.db; true")
    before = (data / "mayfly.db").stat().st_size
    output = daemon.cli("deploy", folder, "--name", "curious", "--verbose").stderr
    assert "staging" in output and "admin-token: No such file" in output, output
    assert daemon.token not in output and "mayfly.db\n" not in output
    assert (data / "mayfly.db").stat().st_size >= before and len(daemon.cli("list", "--json").stdout) > 2


@needs_npm
def test_an_install_script_that_hangs_meets_the_limit(start_daemon, tmp_path):
    daemon = start_daemon("--build-limit", "4s")
    daemon.deploy("hangs", "export default () => new Response('old');")
    folder = local_package(tmp_path / "hangs", "echo waiting; sleep 1000")
    done = daemon.cli("deploy", folder, check=False)
    assert done.returncode != 0 and "longer than 4s" in done.stderr, done.stderr
    assert not runs(daemon, "sleep")
    assert daemon.request("/hangs").text == "old"


@needs_npm
def test_a_daemon_that_ends_takes_an_install_with_it(start_daemon, tmp_path):
    daemon = start_daemon()
    folder = local_package(tmp_path / "ends", "sleep 1000")
    deploy = subprocess.Popen(
        [BINARY, "deploy", folder], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
        env={**os.environ, "MAYFLY_ADMIN": daemon.admin_url, "MAYFLY_TOKEN": daemon.token})
    eventually(lambda: runs(daemon, "sleep"), 30)
    assert daemon.stop() == 0
    _, errors = deploy.communicate(timeout=20)
    assert deploy.returncode != 0 and errors


@needs_npm
def test_a_daemon_that_is_killed_leaves_no_tool_and_no_half_layer(start_daemon, tmp_path):
    daemon = start_daemon()
    folder = local_package(tmp_path / "killed", "sleep 1000")
    deploy = subprocess.Popen(
        [BINARY, "deploy", folder], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "MAYFLY_ADMIN": daemon.admin_url, "MAYFLY_TOKEN": daemon.token})
    eventually(lambda: runs(daemon, "sleep"), 30)
    below = daemon.children()
    daemon.kill()
    assert deploy.wait(20) != 0 and deploy.stderr.read()
    eventually(lambda: not any(Path(f"/proc/{pid}/cwd").exists() for pid in below), 10)
    daemon.start()
    assert layers(daemon) == [] and list((daemon.folder / "staging").iterdir()) == []


def test_vendored_packages_need_no_network(start_daemon, tmp_path):
    daemon = start_daemon(env={"npm_config_registry": "http://127.0.0.1:9"})
    folder = write(tmp_path / "vendored", {
        "index.js": "import v from 'own'; export default () => new Response(v);",
        "package.json": json.dumps({"type": "module", "dependencies": {"own": "1.0.0"}}),
        "package-lock.json": '{"lockfileVersion": 3, "packages": {}}',
        "node_modules/own/index.js": "module.exports = 'brought along';",
        "node_modules/own/package.json": '{"name": "own", "version": "1.0.0"}',
    })
    daemon.cli("deploy", folder, "--vendored")
    assert daemon.request("/vendored").body == b"brought along"
    assert layers(daemon) == []


PYTHON = "import six\n\ndef handler(event, context):\n    return {'six': six.__version__}\n"


@pytest.mark.parametrize("files", [
    {"requirements.txt": "-r more.txt\n", "more.txt": "six==1.16.0\n"},
    {"pyproject.toml": "[project]\nname = 'x'\nversion = '1'\ndependencies = ['six==1.16.0']\n"},
], ids=["requirements", "pyproject"])
def test_packages_of_python(daemon, tmp_path, files):
    before = layers(daemon)
    folder = write(tmp_path / "sixth", {"main.py": PYTHON, **files})
    daemon.cli("deploy", folder, "--name", "sixth")
    assert daemon.request("/sixth").json == {"six": "1.16.0"}
    made = [layer for layer in layers(daemon) if layer not in before]
    assert len(made) == 1 and list(made[0].glob("__pycache__/six.*.pyc")), "compiled when it is installed"
    (folder / "main.py").write_text(PYTHON + "# changed\n")
    assert daemon.cli("deploy", folder, "--name", "sixth", "--verbose").stderr == ""


def test_what_was_not_installed_is_said_when_the_deploy_fails_for_it(daemon, tmp_path):
    folder = write(tmp_path / "poetry", {"app.py": "import itsdangerous\ndef handler(event, context): pass",
                                         "pyproject.toml": "[tool.poetry.dependencies]\nitsdangerous = '*'\n"})
    done = daemon.cli("deploy", folder, "--name", "poetry", check=False)
    assert done.returncode != 0 and "No module named 'itsdangerous'" in done.stderr
    assert "warning: the dependencies in pyproject.toml are Poetry's own" in done.stderr, done.stderr


def test_wheels_that_are_brought_along_need_no_network(start_daemon, tmp_path):
    folder = write(tmp_path / "wheeled", {"main.py": PYTHON, "requirements.txt": "six\n"})
    subprocess.run(["python3", "-m", "pip", "download", "--no-deps", "-q", "-d", folder / "wheels", "six==1.16.0"],
                   check=True, capture_output=True)
    daemon = start_daemon(env={"PIP_INDEX_URL": "http://127.0.0.1:9"})
    daemon.cli("deploy", folder)
    assert daemon.request("/wheeled").json == {"six": "1.16.0"}


def test_a_python_package_that_is_built_from_its_source(daemon, tmp_path):
    folder = write(tmp_path / "built", {
        "main.py": "import own\n\ndef handler(event, context):\n    return {'uid': own.UID}\n",
        "requirements.txt": "./lib\n",
        "lib/setup.py": "import os\nopen('own.py', 'w').write(f'UID = {os.getuid()}')\n"
                        "from setuptools import setup\nsetup(name='own', version='1', py_modules=['own'])\n",
    })
    daemon.cli("deploy", folder)
    uid = daemon.request("/built").json["uid"]
    assert uid == os.getuid() if os.getuid() != 0 else uid >= 1_900_000_000, "never as the daemon of root"


def test_a_requirement_that_does_not_exist_is_said_in_pips_words(daemon, tmp_path):
    folder = write(tmp_path / "missing", {"main.py": PYTHON, "requirements.txt": "six==999.9\n"})
    done = daemon.cli("deploy", folder, check=False)
    assert done.returncode != 0 and "No matching distribution found for six==999.9" in done.stderr, done.stderr


def wheel(file: Path, value: str) -> None:
    """A package `own` with this VALUE."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("own.py", f"VALUE = {value!r}\n")
        archive.writestr("own-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: own\nVersion: 1\n")
        archive.writestr("own-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("own-1.dist-info/RECORD", "")


@pytest.mark.parametrize("line", ["own-1-py3-none-any.whl", "lib/own-1-py3-none-any.whl", "--no-index --find-links lib own"])
def test_a_wheel_of_the_deployment_is_part_of_what_its_layer_is_made_of(daemon, tmp_path, line):
    lines = line.replace("--no-index ", "--no-index\n").replace("lib own", "lib\nown")
    folder = write(tmp_path / "wheel", {
        "main.py": "import own\n\ndef handler(event, context):\n    return own.VALUE\n", "requirements.txt": lines + "\n"})
    for value in ("first", "second"):
        for place in ("own-1-py3-none-any.whl", "lib/own-1-py3-none-any.whl"):
            wheel(folder / place, value)
        daemon.cli("deploy", folder, "--name", "wheel")
        assert daemon.request("/wheel").text == value


def test_downloads_are_shared_only_on_the_servers_terms(start_daemon, tmp_path):
    cache = tmp_path / "cache"
    daemon = start_daemon(env={"MAYFLY_BUILD_CACHE": str(cache)})
    folder = write(tmp_path / "terms", {"main.py": PYTHON, "requirements.txt": "--trusted-host example.org\nsix==1.16.0\n"})
    daemon.cli("deploy", folder)
    assert not (cache / "pip").exists(), "the deployment has a say in what is downloaded"
    (folder / "requirements.txt").write_text("six==1.16.0\n")
    daemon.cli("deploy", folder)
    assert (cache / "pip").exists()


@needs_npm
def test_a_registry_of_the_deployment_gets_no_token_and_fills_no_cache_of_others(start_daemon, tmp_path):
    seen = []

    class Registry(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, self.headers.get("authorization", "")))
            self.send_error(404)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = f"127.0.0.1:{server.server_port}"
    cache = tmp_path / "cache"
    daemon = start_daemon(env={"MAYFLY_BUILD_CACHE": str(cache), "NPM_TOKEN": "s3cret",
                               f"npm_config_//{host}/:_authToken": "s3cret"})
    folder = write(tmp_path / "foreign", {
        "index.js": "export default () => new Response('x');",
        "package.json": json.dumps({"type": "module", "dependencies": {"own": "1.0.0"}}),
        ".npmrc": f"registry=http://{host}/\nfetch-retries=0\n//{host}/:_authToken=${{NPM_TOKEN}}\n",
    })
    done = daemon.cli("deploy", folder, check=False)
    server.shutdown()
    server.server_close()
    assert done.returncode != 0 and "without the server's tokens, because its .npmrc sets 'registry'" in done.stderr, done.stderr
    assert seen and not any("s3cret" in path + token for path, token in seen), seen
    assert not (cache / "npm").exists()


@needs_npm
def test_an_install_script_that_puts_a_link_in_the_place_of_its_folder(daemon, tmp_path):
    """What the daemon tidies up afterwards is not what lies behind that link."""
    victim = write(tmp_path / "victim", {"package.json": "kept", "package-lock.json": "kept", "index.js": "kept"})
    app = local_package(tmp_path / "links/app", f"cd $INIT_CWD/.. && mv app gone && ln -s {victim} app")
    write(tmp_path / "links", {"mayfly.toml": '[functions.links]\nsource = "app/index.js"\n'})
    done = daemon.cli("deploy", app.parent, check=False)
    assert sorted(file.name for file in victim.iterdir()) == ["index.js", "package-lock.json", "package.json"]
    assert done.returncode != 0 and "what the build has left cannot be used" in done.stderr, done.stderr


BAD_PACKAGES = {
    "npm-absent": ({**ABSENT}, "ETARGET"),
    "npm-lock": ({**ABSENT, "package-lock.json": "{]"}, "package-lock.json"),
    "pip-absent": ({"main.py": PYTHON, "requirements.txt": "six==999.9\n"}, "No matching distribution found for six==999.9"),
    "pip-variable": ({"main.py": PYTHON, "requirements.txt": "--index-url https://x/${PIP_INDEX_URL}\n"}, "names a variable"),
    "pip-encoding": ({"main.py": PYTHON, "requirements.txt": "# coding: utf-7\nsix\n"}, "encoding"),
    "pyproject": ({"main.py": PYTHON, "pyproject.toml": "[project]\ndependencies = ['--no-binary=:all:']\n"}, "is no dependency"),
}


@needs_npm
@pytest.mark.parametrize("what", BAD_PACKAGES)
def test_packages_that_cannot_be_had_change_nothing_in_service(daemon, tmp_path, what):
    files, words = BAD_PACKAGES[what]
    daemon.deploy(what, "export default () => new Response('old');")
    done = daemon.cli("deploy", write(tmp_path / "bad", files), "--name", what, check=False)
    assert done.returncode != 0 and words in done.stderr, done.stderr
    assert daemon.request(f"/{what}").text == "old"


def test_output_of_tools_is_streamed_by_the_api(daemon, tmp_path):
    folder = write(tmp_path / "streamed", ABSENT)
    archive = shutil.make_archive(str(tmp_path / "streamed"), "gztar", folder)
    answer = daemon.admin("/v1/functions/streamed?file=a.tar.gz", "PUT", body=Path(archive).read_bytes(),
                          headers={"accept": "application/x-ndjson"})
    assert answer.status == 200
    lines = [json.loads(line) for line in answer.body.decode().splitlines() if line]
    assert "express@9999.0.1" in "".join(line.get("output", "") for line in lines[:-1])
    assert lines[-1]["status"] == 422
    assert lines[-1]["problem"]["type"] == "urn:mayfly:registry:build-failed"
    assert "ETARGET" in lines[-1]["problem"]["output"]
