"""What happens in which process, and when."""

import atexit
import gc
import json
import os
import sys

from . import bridge, calls, datasets, errors, events, forks, form_asgi, form_events, form_lambda, form_wsgi, load, loop, slow_load, streams, warmup

_FORMS = {"lambda": form_lambda, "asgi": form_asgi, "wsgi": form_wsgi, "events": form_events}
_STOP_PATIENCE = 5  # seconds that lifespan's shutdown and atexit may take together

_INSTANCE = '{"role":"instance"}'

_role = "runtime"
_configuration: dict = {}


def main() -> None:
    streams.install()
    calls.install()
    # Of every fork, those that the code makes included. That they cannot speak for this process the bridge sees to.
    os.register_at_fork(after_in_child=streams.forget)
    os.register_at_fork(after_in_child=loop.after_fork)
    warmup.warm_up(_FORMS)
    forks.make_lean()
    # Without this folder: a function's own modules must not meet ours.
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != folder]
    _fork()
    bridge.enter_folder(_configuration["root"])
    if _role == "template":
        _run_template()
    else:
        loaded = _load_code()
        _prepare(loaded)
        _serve(loaded.form)


def _fork(server: tuple | None = None) -> None:
    """Collect and freeze, so that the collector leaves shared pages alone, then block until there is a child; with a
    server, until it has served."""
    global _role, _configuration
    forks.prepare()
    gc.collect()
    gc.freeze()
    payload = bridge.fork_server(_role == "template", *([server] if server else []))
    if payload == _INSTANCE:  # at once: each line that runs in an instance costs it pages of its own
        _role = "instance"
        return
    _configuration = json.loads(payload)
    _role = _configuration["role"]


def _load_code() -> load.Loaded:
    errors.set_root(_configuration["root"])
    load.set_environment(_configuration)
    try:
        datasets.map_all(_configuration)
        with slow_load.watched():
            loaded = load.load(_configuration)
        events.use(loaded.own)
        return loaded
    except BaseException as error:
        streams.flush()
        failure = load.describe_failure(error, _configuration)
        if _role == "direct":
            bridge.fatal("uncaught", failure["message"], failure["stack"])
        bridge.failed(json.dumps(failure))
        bridge.exit(1)
        raise


def _run_template() -> None:
    loaded = _load_code()
    unsafe = load.unsafe_reasons() + bridge.unsafe()
    warnings = [f"{reason}: each instance loads the code itself instead of being forked" for reason in unsafe]
    summary = {"form": loaded.form, "warnings": warnings, "unsafe": unsafe}
    form = _FORMS[loaded.form]
    if not form.concurrent(loaded.handler):
        summary["serial"] = True
    _prepare(loaded)
    streams.flush()
    bridge.ready(json.dumps(summary))
    _serve(loaded.form, lambda: _fork(form.server()))


def _prepare(loaded: load.Loaded) -> None:
    form = _FORMS[loaded.form]
    form.prepare(loaded.handler, _configuration)
    calls.configure(_configuration["function"], form.concurrent(loaded.handler))


def _serve(name: str, begin=None) -> None:
    form = _FORMS[name]
    try:
        if begin is not None:
            begin()
        form.serve()
    except SystemExit as error:
        errors.exit_process(error)
    except BaseException as error:
        streams.flush()
        bridge.fatal("uncaught", *errors.describe(error))
    _leave(form)


def _leave(form) -> None:
    """The daemon said stop: what was registered for the end runs, but not for ever."""
    bridge.expire(_STOP_PATIENCE)
    try:
        form.shut_down()
        atexit._run_exitfuncs()
    except BaseException as error:
        streams.log_error(error)
    streams.flush()
    bridge.exit(0)
