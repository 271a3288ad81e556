"""Every example does what its example.toml says; the same code runs in `make run`."""

import sys

import pytest

from support.daemon import BINARY, REPOSITORY

sys.path.insert(0, str(REPOSITORY / "scripts"))
import examples  # noqa: E402


@pytest.fixture(scope="module")
def target(start_daemon):
    daemon = start_daemon("--outbound-allow", "127.0.0.1")
    return examples.Target(BINARY, daemon.url, daemon.admin_url, daemon.token)


@pytest.mark.parametrize("example", examples.load(), ids=lambda example: example.folder.name)
def test_example(example, target):
    if missing := example.missing():
        pytest.skip(f"{', '.join(missing)} is not installed")
    assert example.call, "an example that is never called"
    with example.serving() as server:
        for arguments in example.deploys(target.url, server):
            target.cli(*arguments)
        for call in example.call:
            answer = examples.perform(call, example, target)
            examples.check(call, answer)
            examples.check_logs(call, example, target)


def test_every_example_has_a_readme():
    for folder in sorted((REPOSITORY / "examples").iterdir()):
        if folder.is_dir():
            assert (folder / "README.md").exists() and (folder / "example.toml").exists(), folder
