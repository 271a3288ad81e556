"""What handlers get as `context`: Lambda's."""

import time
from types import SimpleNamespace

from . import calls
from .datasets import dataset_files, mapped


class Identity:
    cognito_identity_id = None
    cognito_identity_pool_id = None


class Context:
    function_name = ""
    function_version = "$LATEST"
    invoked_function_arn = ""
    memory_limit_in_mb = "128"
    log_group_name = ""
    log_stream_name = ""
    client_context = None
    identity = Identity()

    def __init__(self, invocation):
        self.aws_request_id = invocation.id
        self._deadline = invocation.deadline

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.monotonic()) * 1000))

    def log(self, message) -> None:
        print(message)

    invoke = staticmethod(calls.invoke)
    next = staticmethod(calls.next)
    publish = staticmethod(calls.publish)
    datasets = mapped
    dataset_files = staticmethod(dataset_files)

    def __repr__(self) -> str:
        return f"Context(aws_request_id={self.aws_request_id!r}, function_name={self.function_name!r})"


def configure(configuration: dict) -> None:
    """What is the same for all invocations of a function."""
    name, version = configuration.get("function", ""), str(configuration.get("version", "$LATEST"))
    Context.function_name = name
    Context.function_version = version
    Context.invoked_function_arn = f"mayfly:{name}@{version}"
    Context.memory_limit_in_mb = str(configuration.get("memory", 128 << 20) >> 20)
    Context.log_group_name = f"/mayfly/{name}"
    Context.log_stream_name = version
    Context(SimpleNamespace(id="", deadline=0.0))  # a class that was changed is looked over again: not in each instance
