"""The run manifest: what ran, with which versions, on what, from which commit."""

import importlib.metadata
import json
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax
import ml_collections

from vasa_jax import files

NAME = "run_manifest.json"
PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "tensorflow", "tensorflow-cpu", "vasa_jax")


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on; absent packages are left out."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def devices() -> dict[str, Any]:
    """Kind and number of the devices, and the host they are on."""
    local = jax.devices()
    return {
        "kind": local[0].device_kind,
        "platform": local[0].platform,
        "count": len(local),
        "host": platform.platform(),
    }


def commit() -> str | None:
    """The commit of the source tree, with '+changes' when it differs; None outside a repository."""
    folder = Path(__file__).resolve().parents[2]
    try:
        run = lambda *words: subprocess.run(  # noqa: E731
            ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
        return run("rev-parse", "HEAD") + ("+changes" if run("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def write(workdir: Path, config: ml_collections.ConfigDict, *, resumed_at: int, **more: Any) -> None:
    """Writes run_manifest.json; on a resume the earlier starts stay listed."""
    path = workdir / NAME
    starts = []
    if path.is_file():
        try:
            starts = json.loads(path.read_text(encoding="utf-8")).get("starts", [])
        except json.JSONDecodeError:
            pass
    starts.append({"date": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "step": resumed_at, "command": sys.argv})
    files.write_json(
        path,
        {
            "config": json.loads(config.to_json_best_effort()),
            "versions": versions(),
            "devices": devices(),
            "commit": commit(),
            "starts": starts,
            **more,
        },
    )
