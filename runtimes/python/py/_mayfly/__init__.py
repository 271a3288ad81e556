"""Mayfly's Python runtime: everything that is not C++. boot.py is the entry, runtime.py what it does."""

import importlib.machinery
import importlib.util
import os
import sys


def _load_bridge():
    path = os.environ.pop("MAYFLY_PYTHON_EXTENSION")
    loader = importlib.machinery.ExtensionFileLoader("mayfly_bridge", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_file_location("mayfly_bridge", path, loader=loader))
    loader.exec_module(module)
    sys.modules.pop("mayfly_bridge", None)
    return module


bridge = _load_bridge()
