"""The search for a Python: newest first, and what does not serve is passed over with its reason."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SEARCH = Path(__file__).parents[1] / ".ci" / "newest_python"
SERVES = f'exec {sys.executable} "$@"'
LEADS_NOWHERE = "exit 127"  # as pyenv's names of versions that are not switched on
NO_VENV = '[ -z "$2" ] || { echo "cannot make environments" >&2; exit 1; }'


@pytest.mark.parametrize(
    ("there", "asked", "found", "said"),
    [
        ({"python3.11": SERVES, "python3.13": SERVES, "python3.14": SERVES}, [], "python3.13", ""),
        ({"python3.14": SERVES, "python3": SERVES}, [], "python3.14", ""),
        ({"python3": SERVES}, [], "python3", ""),
        ({"python3.13": LEADS_NOWHERE, "python3.12": SERVES}, [], "python3.12", ""),
        ({"python3.13": NO_VENV, "python3.11": SERVES}, [], "python3.11", "python3.13 cannot make environments\n"),
        ({"python3.13": SERVES, "python3.11": SERVES}, ["python3.11"], "python3.11", ""),
        ({"python3.13": SERVES}, ["python3.12"], "", "error: 'python3.12' does not serve"),
        ({}, [], "", "error: no Python of 3.11 or newer is found"),
    ],
)
def test_the_newest_that_serves(there, asked, found, said, tmp_path):
    for name, body in there.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    shell = ["/bin/sh", str(SEARCH), *asked]
    done = subprocess.run(shell, capture_output=True, text=True, env={**os.environ, "PATH": str(tmp_path)})
    assert (done.returncode, done.stdout.strip()) == (0 if found else 2, found)
    assert done.stderr.startswith(said) and (said or not done.stderr)
