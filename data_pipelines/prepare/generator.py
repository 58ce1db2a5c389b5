"""Stores what the generator of a face run is given, for the task "generator" (`vasa_jax.training.generator_task`).

    vasa-prepare --stage=generator --face_config=experiments/configs/face/portrait_256.py --checkpoint=START \
        --input=data --output=data/generator --items=3600

writes OUTPUT/train and OUTPUT/validation (a tenth as many), a megabyte an item: pairs of `config.data.mixture` under
the run's augmentation, encoded and warped by the frozen networks of the checkpoint. With `--speech=recordings`
stills of which nobody knows the truth are driven by what the checkpoint's motion model makes of the recordings.
"""

import pathlib
from typing import Any

import numpy as np
import tqdm
from jaxtyping import Float

from data_pipelines import generator_inputs
from data_pipelines.clips import ClipStream
from vasa_jax.errors import InputError

_BATCH = 8
_RECORDINGS = (".wav", ".mp3", ".ogg", ".m4a", ".flac")
_FRAMES_SPOKEN, _APART = 250, 5
"""Frames that are made of a recording, and frames from one code that is kept to the next."""
_STREAM = ("mixture", "size", "engine", "threads", "max_damaged", "reuse", "checksums")


def make_inputs(
    config: Any, data_dir: str, checkpoint: str, output: pathlib.Path, items: int, speech: str = ""
) -> dict[str, Any]:
    """Writes both splits; returns the report.

    Args:
      config: of the face run.
      data_dir: TFDS data folder.
      checkpoint: release, workdir or .safetensors with the networks that are frozen.
      output: folder; its splits are written anew.
      items: of the training split, rounded up to whole batches.
      speech: folder of recordings that crossed stills speak; empty: they take each other's codes.
    """
    import jax

    from vasa_jax.training import start
    from vasa_jax.training.generator_task import stored_inputs

    params = start.read_start(checkpoint, "face", ("model",))
    if not params["model"].keys() >= {"warp_out", "appearance_encoder"}:
        raise InputError(f"{checkpoint} holds no face model; give a release, a workdir or its .safetensors")
    moved = any(config.get("stills", {}).get(name) for name in ("lids", "gaze", "expression"))
    spoken = spoken_codes(checkpoint, pathlib.Path(speech)) if speech else None
    make = jax.jit(stored_inputs(config, _courses(checkpoint) if moved else None, spoken))
    counts = {"train": items, "validation": max(items // 10, _BATCH)}
    for split, count in counts.items():
        batches = -(-count // _BATCH)
        options = {name: config.data[name] for name in _STREAM if name in config.data}
        if split != "train" and config.data.get("eval_mixture"):
            options["mixture"] = config.data.eval_mixture
        seed = config.seed if split == "train" else 0
        stream = ClipStream(data_dir, split=split, kind="pairs", batch_size=_BATCH, seed=seed, **options)
        key, ahead = jax.random.key(seed), stream.iterate(0, batches)
        with tqdm.tqdm(total=batches, desc=f"{split} of {output}", unit="batch") as bar:

            def one(number: int, ahead=ahead, key=key) -> dict[str, np.ndarray]:
                batch = next(ahead) | {"index": np.arange(number * _BATCH, (number + 1) * _BATCH, dtype=np.int32)}
                return jax.device_get(make(params, batch, key))

            generator_inputs.write(output / split, one, batches, lambda _, bar=bar: bar.update())
        counts[split] = batches * _BATCH
    return {"items": counts, "output": str(output)}


def _courses(checkpoint: str) -> Any:
    """How codes tell what is moved, by the release's motion statistics and label head."""
    from vasa_jax import weights
    from vasa_jax.inference import blinks
    from vasa_jax.training.generator_task import Courses
    from vasa_jax.training.trained import is_release

    release = weights.load_release(checkpoint) if is_release(checkpoint) else None
    stats = (release and release.motion_stats) or {}
    if not release or not stats.keys() >= {"blink", "gaze", "expressions"}:
        raise InputError(
            f"{checkpoint}: config.stills moves lids, gaze or expressions as a release's codes do; give one with a "
            "motion model, written by vasa-export with --blink and --lead"
        )
    lids = blinks.lids_of(release.face_params["label_head"], stats["std"][7:], stats["blink"]).direction
    return Courses(*(np.asarray(course, np.float32) for course in (lids, stats["gaze"], stats["expressions"])))


def spoken_codes(checkpoint: str, speech: pathlib.Path) -> Float[np.ndarray, "n d"]:
    """Every fifth code of what the checkpoint's motion model makes of the recordings, each with a seed of its own."""
    from vasa_jax import TalkingFace, media
    from vasa_jax.training.trained import is_release

    recordings = sorted(path for path in speech.glob("*") if path.suffix.lower() in _RECORDINGS)
    if not recordings:
        raise InputError(f"--speech={speech}: there is no recording ({', '.join(_RECORDINGS)})")
    motion = TalkingFace.load(checkpoint).motion if is_release(checkpoint) else None
    if motion is None:
        raise InputError(f"{checkpoint}: --speech needs a release with a motion model; write one with vasa-export")
    codes = []
    for seed, path in enumerate(tqdm.tqdm(recordings, desc=f"speech of {speech}", unit="file")):
        audio = media.AudioReader(path)
        frames = min(audio.frames, _FRAMES_SPOKEN)
        made = np.concatenate(list(motion.windows(audio.mono(), frames, seed=seed)))
        codes.append(made[::_APART, 7:])
    return np.concatenate(codes)
