"""Packages that one feature of a run needs: where they are absent the run says so once and goes on without."""

import importlib
import sys
from types import ModuleType

_said: set[str] = set()


def load(module: str, without: str) -> ModuleType | None:
    """The module, or None where it, or anything that it needs, is absent.

    Args:
      module: full name.
      without: what the run goes on without; said on stderr, once a process.
    """
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:  # OSError: the package is there, the system's library behind it is not
        if module not in _said:
            _said.add(module)
            print(f"warning: {without}: {' '.join(str(error).split())}; training goes on", file=sys.stderr)
        return None
