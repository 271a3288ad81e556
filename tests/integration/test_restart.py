"""A daemon that restarts serves everything again, without a redeploy."""

from support import processes


def source(text) -> str:
    return f'export default {{ fetch: (request, env) => new Response("{text} " + (env.WHO ?? "")) }};\n'


def prepare(daemon) -> None:
    daemon.deploy("kept", source("one"))
    daemon.deploy("kept", source("two"), **{"env.WHO": "me"})
    daemon.deploy("split", source("a"))
    daemon.deploy("split", source("b"))
    daemon.admin("/v1/functions/split/traffic", "PUT", json={"weights": {"1": 1}})
    daemon.admin("/v1/functions/kept/aliases/first", "PUT", json={"version": 1})
    daemon.deploy("typed", "export default { fetch: (r: Request) => new Response('typed') };", file="t.ts")
    daemon.deploy("deleted", source("x"))
    daemon.admin("/v1/functions/deleted", "DELETE")


def everything_is_served(daemon) -> None:
    assert daemon.request("/kept").text == "two me"
    assert daemon.request("/kept@first").text == "one "
    assert daemon.request("/split").text == "a "
    assert daemon.request("/typed").text == "typed"
    assert daemon.request("/deleted").status == 404


def test_functions_survive_a_restart(start_daemon):
    daemon = start_daemon()
    prepare(daemon)
    everything_is_served(daemon)
    token = daemon.token
    daemon.restart()
    everything_is_served(daemon)
    assert daemon.token == token, "a token that changes locks the scripts of the user out"
    assert daemon.deploy("kept", source("three"))["version"] == 3


def test_functions_survive_a_kill(start_daemon):
    daemon = start_daemon()
    prepare(daemon)
    daemon.kill()
    daemon.start()
    everything_is_served(daemon)


def test_templates_are_built_at_first_use_or_eagerly(start_daemon):
    daemon = start_daemon()
    daemon.deploy("lazy", source("lazy"))
    daemon.deploy("eager", source("eager"), eager="true")
    daemon.restart()

    def templates(name):
        return [t for t in daemon.describe(name)["live"]["templates"] if t.get("state") in ("ready", "frozen", "up")]

    processes.eventually(lambda: templates("eager"), what="the template of an eager function after a restart")
    assert not templates("lazy")
    assert daemon.request("/lazy").text == "lazy "
    assert templates("lazy")


def test_the_minimum_of_instances_is_there_after_a_restart(start_daemon):
    daemon = start_daemon()
    daemon.deploy("warm", source("warm"), min_instances="2")
    daemon.restart()
    processes.eventually(lambda: daemon.describe("warm")["live"]["instances"] == 2, what="instances nobody asked for")


def test_the_token_is_only_for_its_owner(start_daemon):
    daemon = start_daemon()
    assert (daemon.folder / "admin-token").stat().st_mode & 0o777 == 0o600
    assert len(daemon.token) >= 32
