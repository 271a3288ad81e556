"""Finds the handlers among a module's names and tells which form that of requests has."""

import difflib
import functools
import inspect

#: What is looked for when no handler is configured, in this order.
DEFAULT_NAMES = ("handler", "lambda_handler", "app", "application", "main")

_ENVIRON = {"environ", "env"}
_CONTEXT = {"context", "ctx", "c", ""}  # "": of "_"


class MissingHandler(Exception):
    """There is no such handler, or what has its name is none."""


def public_names(module) -> list[str]:
    """What the module itself defines, and what could be a handler."""
    own = [name for name, value in vars(module).items()
           if not name.startswith("_") and callable(value) and form_of(value) is not None
           and (getattr(value, "__module__", None) == module.__name__ or not inspect.isfunction(value))
           and not inspect.isclass(value)]
    return own


def choose(module, wanted: str):
    """(name, value) of the handler in a module that is loaded. Raises MissingHandler."""
    if wanted != "default":
        if wanted not in vars(module):
            raise MissingHandler(_missing(module, wanted))
        return wanted, getattr(module, wanted)
    present = [(name, vars(module)[name]) for name in DEFAULT_NAMES if callable(vars(module).get(name))]
    for name, value in present:
        if form_of(value) is not None:
            return name, value
    if present:  # check() says what is wrong with it
        return present[0]
    raise MissingHandler(_missing(module, None))


def has_usual_name(module) -> bool:
    """Something that choose() would take unasked."""
    return any(callable(vars(module).get(name)) for name in DEFAULT_NAMES)


def event_handler(module, name: str):
    """A function of the module that takes events, and a context: queue(batch, context), scheduled(event, context).
    None if there is none, or what has its name is something else."""
    value = vars(module).get(name)
    if not callable(value) or inspect.isclass(value):
        return None
    try:
        inspect.signature(value).bind(None, None)
    except (TypeError, ValueError):
        return None
    return value


def _missing(module, wanted: str | None) -> str:
    names = public_names(module)
    file = getattr(module, "__name__", "the module")
    if wanted is None:
        what = f"{file} has no {', '.join(DEFAULT_NAMES[:-1])} or {DEFAULT_NAMES[-1]}."
    else:
        what = f'{file} has no "{wanted}".'
    if not names:
        return what + " It defines nothing that could serve requests: def handler(event, context), or an ASGI or WSGI app."
    near = difflib.get_close_matches(wanted or DEFAULT_NAMES[0], names, 1)
    if near or len(names) == 1:
        return f'{what} Did you mean handler = "{(near or names)[0]}"?'
    return f"{what} Set handler to one of: {', '.join(sorted(names))}."


def _parameters(value) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(value).parameters.values())
    except (TypeError, ValueError):
        return None


def is_async(value) -> bool:
    """A coroutine function, an async generator function, or an object that is called like one."""
    while isinstance(value, functools.partial):
        value = value.func
    if not inspect.isroutine(value) and not inspect.isclass(value):
        value = getattr(type(value), "__call__", value)
    value = inspect.unwrap(value) if callable(value) else value
    return inspect.iscoroutinefunction(value) or inspect.isasyncgenfunction(value)


def form_of(value, name: str = "") -> str | None:
    """"lambda", "asgi" or "wsgi"; None for what is not a handler. Its name is asked when the parameters tell nothing."""
    if not callable(value):
        return None
    parameters = _parameters(value)
    if parameters is None:
        return "lambda" if not inspect.isclass(value) else None
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    any_number = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    first = positional[0].name.lstrip("_") if positional else ""
    second = positional[1].name.lstrip("_") if len(positional) > 1 else ""
    if any(p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in parameters) or len(required) > 3:
        return None
    if len(required) == 3 or (len(positional) >= 3 and first == "scope"):
        return "asgi" if first == "scope" or is_async(value) else None
    if not positional and any_number and name in ("app", "application"):
        return "asgi" if is_async(value) else "wsgi"
    if second.startswith("start") or first in _ENVIRON and len(positional) == 2 and second not in _CONTEXT:
        return "wsgi" if not is_async(value) else "lambda"
    if inspect.isclass(value) or len(positional) < 2 and not any_number:
        return None
    is_object = not inspect.isroutine(value) and not isinstance(value, functools.partial)
    if is_object and not is_async(value) and first not in ("event", "evt", ""):
        return "wsgi"
    return "lambda"


def check(name: str, value) -> str:
    """The form of what was chosen. Raises MissingHandler if it has none."""
    form = form_of(value, name)
    if form is not None:
        return form
    if not callable(value):
        raise MissingHandler(f'"{name}" is of type {type(value).__name__}, not a handler.')
    raise MissingHandler(f'"{name}" cannot be called as handler(event, context), app(scope, receive, send) or '
                         f"app(environ, start_response).")
