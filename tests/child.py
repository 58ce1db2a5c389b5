"""A file of tests in a process of its own: for what cannot stand beside the rest of the suite."""

import subprocess
import sys
from pathlib import Path


def passes(file: Path) -> None:
    """Runs the file's tests; fails with their output unless all pass and at least one ran."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 0 and "passed" in done.stdout, done.stdout[-4000:] + done.stderr[-2000:]
