"""Trained models, opened from a release folder, the bundled one, or a training workdir (also of a run under way).

model = open_trained("runs/face", "face")
model.config, model.params, model.source
"""

import dataclasses
import time
from pathlib import Path
from typing import Any

from vasa_jax import weights
from vasa_jax.errors import InputError, UsageError
from vasa_jax.training import checkpoint


@dataclasses.dataclass(frozen=True)
class Trained:
    """Configuration and parameters of one model, and where they came from.

    Attributes:
      stats: statistics of motion (`motion_task.statistics`), where the model has some.
      source: "release" and the "run" it came from; or "workdir", "step", "commit" and "versions".
    """

    config: dict[str, Any]
    params: dict[str, Any]
    stats: dict[str, Any] | None
    source: dict[str, Any]


def is_release(path: str | Path) -> bool:
    """Whether it is a release folder, or one of `weights.SHIPPED`; else it may be a workdir."""
    return str(path) in weights.SHIPPED or (Path(path) / "config.json").is_file()


def open_trained(path: str | Path, task: str, flag: str = "") -> Trained:
    """The "face", "motion" or "pose" model of a release, or of a workdir's newest whole checkpoint (its averages).

    `flag` is what the user gave the path by ("--checkpoint"), for the message where nothing is there.

    Raises:
      InputError: there is none, or it is damaged.
      UsageError: the workdir is of another task.
    """
    if is_release(path):
        release = weights.load_release(path)
        config, params = getattr(release, f"{task}_config"), getattr(release, f"{task}_params")
        if params is None:
            raise InputError(f"{path} holds no {task} model; name another release, or a workdir that trained one")
        source = {"release": str(path), "run": release.info.get(f"{task}_run")}
        return Trained(config, params, release.motion_stats, source)
    if not Path(path).is_dir():
        given = f"{flag}={path}" if flag else path
        raise InputError(f"{given} is no release and no training workdir; name one")
    manifest = checkpoint.read_manifest(Path(path))
    if manifest.get("task") != task:
        raise UsageError(f"{path} is a run of task {manifest.get('task')!r}, and this needs one of task {task!r}")
    step, ema = _read_ema(Path(path))
    source = {"workdir": str(path), "step": step} | {name: manifest.get(name) for name in ("commit", "versions")}
    return Trained(manifest["config"]["model"], ema[manifest["players"][0]], manifest.get("motion_stats"), source)


def _read_ema(workdir: Path) -> tuple[int, dict[str, Any]]:
    """A running training deletes old checkpoints: one that vanishes while it is read is followed by a newer one."""
    try:
        return checkpoint.read_ema(workdir)
    except (OSError, ValueError, KeyError):
        time.sleep(2.0)
        return checkpoint.read_ema(workdir)
