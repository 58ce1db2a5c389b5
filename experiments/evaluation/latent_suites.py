"""Suites of the motion model alone: without pictures, from a latents cache or from sound."""

import dataclasses
import sys
from typing import Any

from vasa_jax.errors import InputError

HEADS = "procedural_heads"


@dataclasses.dataclass(frozen=True)
class Options:
    """What the flags of vasa-evaluate say."""

    checkpoint: str
    motion_checkpoint: str | None
    speech_model: str | None
    data: str
    seed: int
    steps: int
    sampler: str
    windows: int
    seconds: int

    @property
    def motion(self) -> str:
        """Where the motion model is."""
        return self.motion_checkpoint or self.checkpoint


def _held_out_windows(options: Options, mixture: dict[str, float]) -> tuple[Any, dict[str, Any], Any]:
    """The motion model, a batch of held-out windows of the latents caches, and both together.

    Of the split validation: what is compared here, settings are chosen by.
    """
    from data_pipelines.clips import ClipStream
    from experiments.evaluation import models, windows

    part = models.read_part(options.motion, "motion")
    size = {"previous": part.config["context"], "window": part.config["window"]}
    batch = ClipStream(options.data, mixture, "validation", "windows", options.windows, **size).batch(0)
    return part, batch, windows.Windows(part, batch, options.seed)


def solvers(options: Options) -> dict[str, Any]:
    """Report of the samplers on held-out windows of GRID."""
    import numpy as np

    from experiments.evaluation import solvers

    part, _, windows = _held_out_windows(options, {"grid": 1.0})
    report = solvers.run(windows, np.asarray(part.stats["mouth_readout"]))
    solvers.show(report)
    return {"model": part.source, **report}


def guidance(options: Options) -> dict[str, Any]:
    """Report of guidance scales and steps, on held-out windows of GRID and of procedural heads."""
    from experiments.evaluation import data, guidance, models, synthetic

    part, batch, windows = _held_out_windows(options, {"grid": 0.5, HEADS: 0.5})
    face = models.FaceModel(models.read_part(options.checkpoint, "face"))
    scale = synthetic.DistanceScale.find(options.data, HEADS, data.HeldOut(options.data, HEADS, "train", face.size))
    table = guidance.Table(face, windows, batch, batch["domain"] == 0, (scale.mean, scale.std))
    report = table.run(method=options.sampler)
    guidance.show(report)
    return {"model": part.source, **report}


def long_form(options: Options, show_progress: Any = iter) -> dict[str, Any]:
    """Report of minutes of motion: GRID's held-out speech where it is at hand, else synthetic speech."""
    from experiments.evaluation import data, long_form, models

    generator = models.load_motion(options.motion, options.speech_model)
    try:
        split = data.HeldOut(options.data, "grid", "test", 128)
        sound, source = long_form.speech([c.audio for c in split.tracks(split.main_speaker(), 20)]), "grid/test"
    except InputError as error:
        print(f"synthetic speech: {error}", file=sys.stderr)
        sound, source = long_form.synthetic_speech(), "synthetic"
    how = {"seed": options.seed, "steps": options.steps, "method": options.sampler}
    report = long_form.run(generator, sound, options.seconds, show_progress, **how)
    long_form.show(report)
    return {"speech": f"{source}, a minute of it in a loop", "controls": how, **report}


def heads(
    face: Any, generator: Any, how: dict[str, Any], data_dir: str, count: int, show_progress: Any = iter
) -> dict[str, Any]:
    """The procedural part of the motion suite."""
    from experiments.evaluation import data, synthetic, talking_heads, talking_heads_tables

    test, train = (data.HeldOut(data_dir, HEADS, split, face.size) for split in ("test", "train"))
    suite = talking_heads.HeadsSuite(
        face=face,
        motion=generator,
        distance=synthetic.DistanceScale.find(data_dir, HEADS, train),
        feelings=talking_heads.learn_feelings(train, face),
        mouth=talking_heads.learn_mouth(train),
        how=how,
    )
    report = suite.run(test, test.choose(count), show_progress)
    talking_heads_tables.show(report)
    return report
