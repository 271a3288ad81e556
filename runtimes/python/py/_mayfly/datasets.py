"""The datasets that this function lists, in memory that all its instances share: `mayfly.datasets`, `mayfly.dataset_files()`."""

import types
from typing import NamedTuple

from . import bridge


class DatasetFile(NamedTuple):
    """One of the files that a dataset was made of: its `size` bytes, from `offset` on."""

    name: str
    offset: int
    size: int


class _ByName(dict):
    def __missing__(self, name):
        raise KeyError(f"the function lists no dataset {name!r}")


_mapped = _ByName()
_files = _ByName()

mapped = types.MappingProxyType(_mapped)  # name → memoryview of its bytes, read only


def dataset_files(name: str) -> tuple[DatasetFile, ...]:
    """The files of a dataset, in their order."""
    return _files[name]


def map_all(configuration: dict) -> None:
    """Before any user code. What is forked from here has them too."""
    for each in configuration.get("datasets", ()):
        name = each["name"]
        try:
            _mapped[name] = bridge.map_dataset(each["fd"], each["size"])
        except OSError as error:
            raise RuntimeError(f"the dataset {name!r}: {error}") from None
        _files[name] = tuple(DatasetFile(file["name"], file["offset"], file["size"]) for file in each.get("files", ()))
