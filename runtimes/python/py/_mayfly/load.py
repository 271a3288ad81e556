"""Loads a function's code: environment, module search path, import; and says what would not survive a fork."""

import importlib
import importlib.util
import os
import sys
import time
from dataclasses import dataclass

from . import bridge, errors, events, handler

# What native libraries ask for the number of threads they start when they are loaded. With one they start none,
# and the template can be forked. The function's own environment goes before.
_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_KEPT = ("PATH", "TZ", "LANG", "LC_ALL")
_THREAD_PATIENCE = 0.2  # seconds in which threads of init may come to their end

_packages: tuple[str, ...] = ()  # folders of packages below the root


@dataclass
class Loaded:
    form: str
    handler: object  # of the form "events" the same as own
    name: str
    own: events.Handlers


def set_environment(configuration: dict) -> None:
    """The function's environment and nothing of the daemon's."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    os.environ.clear()
    os.environ.update({**dict.fromkeys(_ONE_THREAD, "1"), **kept, **configuration.get("env", {})})
    time.tzset()


def _set_path(configuration: dict, entry: str) -> None:
    global _packages
    root = configuration["root"]
    folder = os.path.dirname(entry)
    first = [root]
    # A file in a folder that is no package finds its neighbours, as `python folder/file.py` does.
    if folder != root and not os.path.exists(os.path.join(folder, "__init__.py")):
        first.insert(0, folder)
    vendor = os.path.join(root, "vendor")
    packages = [vendor] if os.path.isdir(vendor) else []
    sys.path[:0] = first + packages + list(configuration.get("layers", []))
    _packages = tuple(path + os.sep for path in packages)
    importlib.invalidate_caches()
    sys.argv[:] = [entry]
    # multiprocessing would run it again in each process that it spawns.
    vars(sys.modules["__main__"]).pop("__file__", None)


def _module_name(root: str, entry: str) -> str:
    """By which the rest of the code would import this file: "app", or "package.app"."""
    stem = os.path.splitext(os.path.basename(entry))[0]
    parts = [stem]
    folder = os.path.dirname(entry)
    while folder != root and folder.startswith(root) and os.path.exists(os.path.join(folder, "__init__.py")):
        parts.insert(0, os.path.basename(folder))
        folder = os.path.dirname(folder)
    return ".".join(parts)


def _import_file(root: str, file: str):
    name = _module_name(root, file)
    if "." in name and name.replace(".", "").isidentifier():
        return importlib.import_module(name)
    taken = sys.modules.get(name)
    if taken is not None and getattr(taken, "__file__", None) == file:
        return taken
    if taken is not None or name in sys.builtin_module_names:  # a name of the standard library
        name = "function_" + name
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None:
        raise ImportError(f"{os.path.basename(file)} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _split(wanted: str, root: str, entry: str) -> tuple[str, str]:
    """(file, name) of a handler: "name", or Lambda's "module.name" with a module of the root."""
    module, divider, name = wanted.replace(":", ".").rpartition(".")
    if not divider:
        return entry, wanted
    path = os.path.join(root, *module.replace("/", ".").split("."))
    for file in (path + ".py", os.path.join(path, "__init__.py")):
        if os.path.isfile(file):
            return file, name
    if module == os.path.splitext(os.path.basename(entry))[0]:
        return entry, name
    raise handler.MissingHandler(f'There is no file {module.replace(".", "/")}.py for the handler "{wanted}".')


def load(configuration: dict) -> Loaded:
    """Import the code of `configuration` ({root, entry, handler, env, layers}) and find its handlers. Raises
    whatever the code raises; describe_failure() makes a report of it."""
    root = configuration["root"].rstrip("/")
    entry = os.path.join(root, configuration["entry"])
    _set_path({**configuration, "root": root}, entry)
    file, wanted = _split(configuration.get("handler") or "default", root, entry)
    module = _import_file(root, file)
    own = events.Handlers(*(handler.event_handler(module, name) for name in ("queue", "scheduled")))
    named = wanted in ("queue", "scheduled") or wanted == "default" and not handler.has_usual_name(module)
    if named and own != events.Handlers():
        return Loaded("events", own, wanted, own)
    name, value = handler.choose(module, wanted)
    return Loaded(handler.check(name, value), value, name, own)


def _where_modules_come_from(name: str, root: str) -> str:
    first = name.split(".")[0]
    if any(os.path.exists(os.path.join(root, first + ending)) for ending in ("", ".py")):
        return ""  # the function's own
    return ": packages are installed from requirements.txt or pyproject.toml, or lie in a folder vendor"


def _file_with_nul(root: str) -> str | None:
    """Python does not say which file it could not compile."""
    for folder, _, names in os.walk(root):
        for name in sorted(names):
            if name.endswith(".py"):
                with open(os.path.join(folder, name), "rb") as file:
                    if b"\0" in file.read():
                        return errors.relative(file.name)
    return None


def _describe_nul(root: str, message: str, stack: str) -> dict:
    report = {"kind": "syntax", "message": f"{message}: source code is UTF-8", "stack": stack}
    if file := _file_with_nul(root):
        report["message"] = f"{file} has NUL bytes in it, and source code is UTF-8: it is damaged, or saved as UTF-16"
        report["file"] = file
    return report


def describe_failure(error: BaseException, configuration: dict) -> dict:
    """{kind, message, stack, file?, line?} of what load() raised."""
    file, line = errors.place_of(error, _packages)
    message, stack = errors.describe(error)
    kind = "init"
    if isinstance(error, (SyntaxError, ValueError)) and "source code string cannot contain null bytes" in message:
        return _describe_nul(configuration["root"], message, stack)
    if isinstance(error, handler.MissingHandler):
        return {"kind": "export", "message": str(error), "stack": "", "file": configuration["entry"]}
    if isinstance(error, SyntaxError) and error.filename and os.path.exists(error.filename):
        kind = "syntax"
    elif isinstance(error, SystemExit):
        message = f"sys.exit({error.code!r}) was called while the code was loading"
    elif isinstance(error, ModuleNotFoundError) and error.name:
        message += _where_modules_come_from(error.name, configuration["root"])
    report = {"kind": kind, "message": message, "stack": stack}
    if file is not None:
        report["file"] = file
    if line is not None:
        report["line"] = line
    return report


def unsafe_reasons() -> list[str]:
    """Why a fork of this process would not be sound; threads get a moment to end."""
    until = time.monotonic() + _THREAD_PATIENCE
    while (count := bridge.threads() - 1) > 0 and time.monotonic() < until:
        time.sleep(0.002)
    return [f"init left {count} thread(s) running"] if count > 0 else []
