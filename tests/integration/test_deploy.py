"""Source in, requests served: every way to hand a function over, and what is refused."""

import json
import subprocess

import pytest

from support.daemon import REPOSITORY
from support.load import Load

VICTIMS = REPOSITORY / "tests" / "victims"


def hello(text: str) -> str:
    return f'export default {{ fetch: () => new Response("{text}") }};\n'


def test_the_command_line_deploys_a_file(daemon, tmp_path):
    source = tmp_path / "greet.js"
    source.write_text(hello("from the CLI"))
    output = daemon.cli("deploy", source).stdout
    assert "greet@1" in output
    assert f"{daemon.url}/greet" in output
    assert daemon.request("/greet").text == "from the CLI"


def test_curl_deploys_the_same(daemon, tmp_path):
    source = tmp_path / "upload.js"
    source.write_text(hello("from curl"))
    done = subprocess.run(
        ["curl", "-sS", "-T", source, "-H", f"Authorization: Bearer {daemon.token}",
         f"{daemon.admin_url}/v1/functions/upload?file=upload.js"],
        capture_output=True, text=True, check=True,
    )
    answer = json.loads(done.stdout)
    assert (answer["name"], answer["version"]) == ("upload", 1)
    assert answer["address"] == "upload@1"
    assert daemon.request("/upload").text == "from curl"


def test_a_name_and_settings_are_given_on_the_command_line(daemon, tmp_path):
    source = tmp_path / "x.js"
    source.write_text("export default { fetch: (request, env) => Response.json(env) };")
    daemon.cli("deploy", source, "--name", "settings", "--set", "env.COLOUR=green", "--set", "timeout=3s")
    assert daemon.request("/settings").json["COLOUR"] == "green"
    assert "3" in json.dumps(daemon.describe("settings"))


def test_deploying_the_same_again_makes_no_new_version(daemon):
    first = daemon.deploy("same", hello("same"))
    second = daemon.deploy("same", hello("same"))
    assert (second["version"], second["digest"]) == (first["version"], first["digest"])
    assert second["unchanged"] is True


def test_a_folder_with_a_configuration(daemon, tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "text.js").write_text('export const text = "from a folder";\n')
    (tmp_path / "main.js").write_text(
        'import { text } from "./lib/text.js";\n'
        "export default { fetch: (request, env) => new Response(`${text}, ${env.WHO}`) };\n"
    )
    (tmp_path / "mayfly.toml").write_text(
        '[functions.folder]\nsource = "main.js"\nenv = { WHO = "configured" }\ntimeout = "2s"\n'
    )
    daemon.cli("deploy", tmp_path)
    assert daemon.request("/folder").text == "from a folder, configured"


def test_a_folder_with_several_functions(daemon, tmp_path):
    (tmp_path / "one.js").write_text(hello("one"))
    (tmp_path / "two.js").write_text(hello("two"))
    (tmp_path / "mayfly.toml").write_text('[functions.first]\nsource = "one.js"\n[functions.second]\nsource = "two.js"\n')
    daemon.cli("deploy", tmp_path)
    assert [daemon.request(path).text for path in ("/first", "/second")] == ["one", "two"]


def test_a_folder_with_node_modules(daemon, tmp_path):
    package = tmp_path / "node_modules" / "left" / "lib"
    package.mkdir(parents=True)
    (package / "main.js").write_text("exports.pad = (text) => `<${text}>`;")
    (package.parent / "package.json").write_text('{"name": "left", "version": "1.0.0", "main": "lib/main.js"}')
    (tmp_path / "package.json").write_text('{"name": "padded", "main": "start.js", "dependencies": {"left": "1"}}')
    (tmp_path / "start.js").write_text(
        'const { pad } = require("left");\nmodule.exports = { fetch: () => new Response(pad("modules")) };\n'
    )
    daemon.cli("deploy", tmp_path, "--name", "padded")
    assert daemon.request("/padded").text == "<modules>"


def test_typescript(daemon):
    source = (
        "interface Pair { a: number; b: number }\n"
        "enum Sign { plus = 1 }\n"
        "const add = <T extends Pair>(pair: T): number => (pair.a + pair.b) * Sign.plus;\n"
        "export default { async fetch(request: Request): Promise<Response> {\n"
        "  return Response.json({ sum: add((await request.json()) as Pair) });\n"
        "} } satisfies { fetch(request: Request): Promise<Response> };\n"
    )
    daemon.deploy("typed", source, file="typed.ts")
    assert daemon.request("/typed", "POST", json={"a": 2, "b": 40}).json == {"sum": 42}


def test_a_handler_that_is_not_there_is_said_and_the_old_version_serves_on(daemon):
    daemon.deploy("misnamed", hello("still here"))
    answer = daemon.put("misnamed", "export const handler = async () => 1;", handler="hander")
    assert (answer.status, answer.problem) == (422, "urn:mayfly:registry:missing-export"), answer.text
    assert 'Did you mean handler = "handler"?' in answer.json["detail"]
    assert daemon.request("/misnamed").text == "still here"


@pytest.mark.parametrize(
    "file, line, words",
    [
        ("syntax-error.js", 4, ""),
        ("init-throws.js", 3, "deep"),
        ("missing-module.js", None, "no-such-package"),
        ("no-export.js", None, "default"),
        ("init-exits.js", None, "9"),
    ],
)
def test_code_that_does_not_load_is_answered_with_422(daemon, file, line, words):
    name = "victim-" + file.removesuffix(".js")
    daemon.deploy(name, hello("still here"))
    answer = daemon.put(name, VICTIMS / file)
    assert answer.status == 422, answer.text
    assert answer.problem.startswith("urn:mayfly:")
    problem = answer.json
    assert words in json.dumps(problem)
    if line:
        assert problem["line"] == line, problem
        assert problem["file"].endswith(file), problem
    assert daemon.request(f"/{name}").text == "still here"
    assert len(daemon.admin(f"/v1/functions/{name}/versions").json["versions"]) == 1


def test_a_typescript_error_names_the_line_of_the_source(daemon):
    answer = daemon.put("bad-types", "const a: number = 1;\nexport default {\n  fetch( { }\n};\n", file="bad.ts")
    assert answer.status == 422, answer.text
    assert answer.json["file"].endswith("bad.ts")
    assert answer.json["line"] == 4, answer.text


def test_an_init_error_of_typescript_names_the_line_of_the_source(daemon):
    source = "type A = string;\n\nconst a: any = undefined;\nexport const b: A = a.c;\nexport default { fetch() {} };\n"
    answer = daemon.put("bad-init-types", source, file="init.ts")
    assert answer.status == 422, answer.text
    assert (answer.json["file"].split("/")[-1], answer.json["line"]) == ("init.ts", 4), answer.text


def test_code_that_never_finishes_loading_is_answered(daemon):
    daemon.deploy("hangs", hello("still here"))
    answer = daemon.put("hangs", VICTIMS / "init-hangs.js", timeout="1s")
    assert answer.status == 422, answer.text
    assert daemon.request("/hangs").text == "still here"


def test_a_failed_deploy_on_the_command_line_shows_where(daemon, tmp_path):
    done = daemon.cli("deploy", VICTIMS / "init-throws.js", "--name", "shown", check=False)
    assert done.returncode != 0
    assert "init-throws.js:3" in done.stderr, done.stderr
    assert "deep" in done.stderr
    assert daemon.request("/shown").status == 404


@pytest.mark.parametrize("name", ["Upper", "-dash", "a" * 64, "with%20space", "..", "a%2Fb"])
def test_names_that_are_no_names_are_refused(daemon, name):
    answer = daemon.put(name, hello("x"))
    assert answer.status in (400, 404, 422), answer.text


@pytest.mark.parametrize(
    "settings", [{"timeout": "soon"}, {"memory": "1KiB"}, {"concurrency": "0"}, {"colour": "red"}, {"routes": "[1"}]
)
def test_settings_that_mean_nothing_are_refused(daemon, settings):
    answer = daemon.put("badly-set", hello("x"), **settings)
    assert answer.status in (400, 422), answer.text
    assert next(iter(settings)) in answer.text


def test_a_switch_under_load_loses_no_request(daemon):
    slow = "export default { async fetch() { await new Promise((r) => setTimeout(r, 5)); return new Response('%d'); } };"
    daemon.deploy("switch", slow % 1)
    with Load(f"{daemon.url}/switch", threads=6) as load:
        for version in range(2, 12):
            load.wait_for(30)
            daemon.deploy("switch", slow % version)
            # What is asked after the deploy was answered is served by the new version.
            assert daemon.request("/switch").text == str(version)
        load.wait_for(30)
    assert set(load.outcomes) <= {(200, str(version)) for version in range(1, 12)}, load.outcomes
    assert load.outcomes[(200, "11")] > 0


def test_requests_in_flight_end_on_the_version_that_they_began_with(daemon):
    daemon.deploy(
        "flight", "export default { async fetch() { await new Promise((r) => setTimeout(r, 600)); return new Response('old'); } };"
    )
    with daemon.wire() as wire:
        wire.get("/flight")
        # The answer to a second request on another connection would be late; the deploy is not.
        daemon.deploy("flight", hello("new"))
        assert daemon.request("/flight").text == "new"
        assert wire.answer().body == b"old"
