"""Models to score, from a release directory or from a training workdir (also of a run that is under way)."""

import dataclasses
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from vasa_jax.errors import InputError, UsageError

_BATCH = 8


@dataclasses.dataclass(frozen=True)
class Part:
    """Parameters of one model and where they came from."""

    config: dict[str, Any]
    params: dict[str, Any]
    stats: dict[str, Any] | None
    source: dict[str, Any]


class FaceModel:
    """The face latent model as users run it (`FaceRenderer`), and its reading of labels.

    Attributes:
      size: side of its pictures.
      source: where the parameters came from.
    """

    def __init__(self, part: Part):
        import jax
        import ml_collections

        from vasa_jax.inference.renderer import FaceRenderer
        from vasa_jax.models.face_latent import FaceLatentModel

        config = ml_collections.FrozenConfigDict(part.config)
        model = FaceLatentModel(config)
        self.size, self.source = int(config.size), part.source
        self._renderer = FaceRenderer(model, part.params, self.size, generator=config.generator, batch=_BATCH)
        head = {"params": jax.device_put({"label_head": part.params["label_head"]})}
        self._read = jax.jit(lambda codes: model.apply(head, codes, method="read_labels"))

    def encode(self, picture: UInt8[np.ndarray, "s s 3"]) -> Any:
        """Latents of a portrait of the model's size."""
        return self._renderer.encode(picture)

    def motion(self, pictures: Iterable[UInt8[np.ndarray, "s s 3"]]) -> Float[np.ndarray, "t m"]:
        """Pose and dynamics of each picture."""
        return np.stack(list(self._renderer.motion(pictures)))

    def decode(self, latents: Any, motion: Float[np.ndarray, "t m"]) -> UInt8[np.ndarray, "t s s 3"]:
        """Pictures of the portrait's person."""
        return np.stack(list(self._renderer.frames(latents, motion)))

    def labels(self, motion: Float[np.ndarray, "t m"]) -> dict[str, Float[np.ndarray, "t 2"]]:
        """Mouth (opening, rounding), lids (closure) and eyes (angles in the head) read off the dynamics."""
        padded = np.zeros((-(-len(motion) // 64) * 64, motion.shape[1] - 7), np.float32)  # few shapes to compile
        padded[: len(motion)] = motion[:, 7:]
        return {name: np.asarray(value)[: len(motion)] for name, value in self._read(padded).items()}


def read_part(path: str, task: str) -> Part:
    """The "face" or "motion" model of a release directory, "bundled", or a training workdir's newest averages.

    Raises:
      InputError: there is none, or it is damaged.
    """
    from vasa_jax import weights
    from vasa_jax.training import checkpoint

    if path == weights.BUNDLED or (Path(path) / "config.json").is_file():
        release = weights.load_release(path)
        config, params = getattr(release, f"{task}_config"), getattr(release, f"{task}_params")
        if params is None:
            raise InputError(f"{path} holds no {task} model; name another release, or a workdir that trained one")
        source = {"release": str(path), "run": release.info.get(f"{task}_run")}
        return Part(config, params, release.motion_stats, source)
    if not Path(path).is_dir():
        raise InputError(f"{path} is no release and no training workdir; correct --checkpoint")
    manifest = checkpoint.read_manifest(Path(path))
    if manifest.get("task") != task:
        raise UsageError(f"{path} is a run of task {manifest.get('task')!r}, and this needs one of task {task!r}")
    step, ema = _read_ema(Path(path))
    source = {"workdir": str(path), "step": step, "commit": manifest.get("commit")}
    return Part(manifest["config"]["model"], ema[manifest["players"][0]], manifest.get("motion_stats"), source)


def _read_ema(workdir: Path) -> tuple[int, dict[str, Any]]:
    """A running training deletes old checkpoints: one that vanishes while it is read is followed by a newer one."""
    from vasa_jax.training import checkpoint

    try:
        return checkpoint.read_ema(workdir)
    except (OSError, ValueError, KeyError):
        time.sleep(2.0)
        return checkpoint.read_ema(workdir)


def load_motion(path: str, speech_model: str | None = None) -> Any:
    """The motion model, ready to speak (`vasa_jax.inference.motion.MotionGenerator`).

    `speech_model` is the folder of the pretrained model that it listens through, if it does.
    """
    from vasa_jax.inference.motion import MotionGenerator
    from vasa_jax.models.audio.front_end import open_for
    from vasa_jax.models.motion_transformer import MotionConfig

    part = read_part(path, "motion")
    if part.stats is None:
        raise InputError(f"{path} holds no motion statistics; export or train it again")
    config = MotionConfig.create(part.config)
    speech = open_for(config, speech_model or "", "--speech_model")
    return MotionGenerator(config, part.params, part.stats, speech)
