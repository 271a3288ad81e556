import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testing"))

from harness import Runtime  # noqa: E402


@pytest.fixture
def start():
    """start(files, …) → a Runtime that ends with the test."""
    running = []

    def make(*arguments, **more) -> Runtime:
        runtime = Runtime(*arguments, **more)
        runtime.__enter__()
        running.append(runtime)
        return runtime

    yield make
    for runtime in running:
        runtime.__exit__(None, None, None)
