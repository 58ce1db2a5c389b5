"""Packages that only writing data sets needs, asked for before the work begins, not after it."""

import importlib.util
import sys

from vasa_jax.errors import InputError


def installed(package: str) -> bool:
    """Whether `package` could be imported; it is not."""
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def check_writing() -> None:
    """Nothing where data sets can be written.

    Raises:
      InputError: TensorFlow or tensorflow-datasets is not installed. Reading and training need neither.
    """
    missing = [package for package in ("tensorflow", "tensorflow_datasets") if not installed(package)]
    if not missing:
        return
    hint = "pip install 'vasa_jax[data]'"
    if "tensorflow" in missing and sys.version_info >= (3, 14):
        version = ".".join(map(str, sys.version_info[:2]))
        hint = f"TensorFlow has no release for Python {version} yet; take 3.13 or older"
    raise InputError(f"writing a data set needs {' and '.join(missing)}, not installed here: {hint}")
