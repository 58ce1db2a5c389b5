"""Suites of the motion model: from a latents cache or from audio; only `blinks` makes images."""

import contextlib
import dataclasses
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

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
    seeds: int = 20
    latents: str | None = None
    speech: tuple[str, ...] = ()
    face_model: str | None = None
    portraits: tuple[str, ...] = ()

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
    from vasa_jax.models.motion_transformer import MotionConfig

    part = models.open_trained(options.motion, "motion")
    model = MotionConfig.create(part.config)
    form = {"previous": model.context, "window": model.window, "told": model.conditions}
    batch = ClipStream(options.data, mixture, "validation", "windows", options.windows, **form).batch(0)
    return part, batch, windows.Windows(part, batch, options.seed)


def solvers(options: Options) -> dict[str, Any]:
    """Report of the samplers on held-out windows of GRID."""
    from experiments.evaluation import solvers

    part, _, windows = _held_out_windows(options, {"grid": 1.0})
    report = solvers.run(windows, np.asarray(part.stats["mouth_readout"]))
    solvers.show(report)
    return {"model": part.source, **report}


def guidance(options: Options) -> dict[str, Any]:
    """Report of guidance scales and steps, on held-out windows of GRID and of procedural heads."""
    from experiments.evaluation import data, guidance, models, synthetic

    part, batch, windows = _held_out_windows(options, {"grid": 0.5, HEADS: 0.5})
    face = models.FaceModel(models.open_trained(options.checkpoint, "face", "--checkpoint"))
    scale = synthetic.DistanceScale.find(options.data, HEADS, data.HeldOut(options.data, HEADS, "train", face.size))
    table = guidance.Table(face, windows, batch, batch["domain"] == 0, (scale.mean, scale.std))
    report = table.run(method=options.sampler)
    guidance.show(report)
    return {"model": part.source, **report}


def _spoken(options: Options, seconds: int) -> tuple[Any, str]:
    """Sound of `seconds`, and where it comes from: --speech, else GRID's held-out speech, else the synthesiser."""
    from experiments.evaluation import data, long_form

    if options.speech:
        from vasa_jax import media

        clips = [np.concatenate(list(media.AudioReader(path).mono())) for path in options.speech]
        return long_form.speech(clips, seconds), f"{len(clips)} files"
    try:
        split = data.HeldOut(options.data, "grid", "test", 128)
        return long_form.speech([c.audio for c in split.tracks(split.main_speaker(), 20)], seconds), "grid/test"
    except InputError as error:
        print(f"synthetic speech: {error}", file=sys.stderr)
        return long_form.synthetic_speech(seconds), "synthetic"


def long_form(options: Options, show_progress: Any = iter) -> dict[str, Any]:
    """Report of minutes of motion: GRID's held-out speech where it is at hand, else synthetic speech."""
    from experiments.evaluation import long_form, models

    generator = models.load_motion(options.motion, options.speech_model)
    audio, source = _spoken(options, long_form.LOOP_SECONDS)
    how = {"seed": options.seed, "steps": options.steps, "method": options.sampler}
    report = long_form.run(generator, audio, options.seconds, show_progress, **how)
    long_form.show(report)
    return {"speech": f"{source}, a minute of it in a loop", "controls": how, **report}


def _start(generator: Any) -> Any:
    """A head that faces the viewer, with the mean face."""
    from vasa_jax.inference import editing

    return np.concatenate([editing.made_pose(editing.PORTRAIT, 1)[0], generator.mean[7:]]).astype(np.float32)


def wander(options: Options, show_progress: Any = iter) -> dict[str, Any]:
    """Report of where heads go in a minute of many seeds, beside those of a latents cache of real clips."""
    from experiments.evaluation import models, wander

    face = models.FaceModel(models.open_trained(options.checkpoint, "face", "--checkpoint"))
    generator = models.load_motion(options.motion, options.speech_model)
    audio, source = _spoken(options, options.seconds)
    seeds = range(options.seed, options.seed + options.seeds)
    how = {"steps": options.steps, "method": options.sampler}
    real = clips_of(options.latents) if options.latents else []
    made = show_progress(seeds)
    report = wander.run(generator, lambda m: face.labels(m)["mouth"][:, 0], audio, made, _start(generator), real, **how)
    wander.show(report)
    return {"model": face.source, "speech": source, "controls": how, **report}


def clips_of(path: str) -> list[Any]:
    """Motion of every clip of a latents cache.

    Raises:
      InputError: it is none.
    """
    try:
        with np.load(path) as cache:
            motion, offsets = cache["motion"], cache["offsets"]
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path} is no latents cache ({error}); make one with vasa-prepare --stage=latents") from error
    return [motion[a:b] for a, b in zip(offsets, offsets[1:], strict=False)]


def blinks(options: Options, show_progress: Any = iter) -> dict[str, Any]:
    """Report of blinks in the codes of many seeds, and in images of --portraits where there is a face tracker."""
    from experiments.evaluation import blinking, models, reading
    from vasa_jax.inference.blinks import Blinker
    from vasa_jax.inference.talking_face import TalkingFace

    face = models.FaceModel(models.open_trained(options.checkpoint, "face", "--checkpoint"))
    talking = TalkingFace.load(options.checkpoint, options.speech_model)
    audio, source = _spoken(options, options.seconds)
    start = _start(talking.motion)
    made: dict[str, list[Any]] = {mode: [] for mode in blinking.SHOWN}
    for seed in show_progress(range(options.seed, options.seed + options.seeds)):
        how = {"seed": seed, "steps": options.steps, "method": options.sampler, "start": start}
        motion = np.concatenate(list(talking.motion.windows(iter([audio]), len(audio) // 640, **how)))
        for mode, motions in made.items():
            motions.append(Blinker(talking.lids, seed, mode, start[7:]).over(motion))
    report: dict[str, Any] = {"codes": blinking.in_codes(face, made)}
    if options.latents:
        report["real"] = blinking.summary([blinking.rate(face.labels(m)["lids"]) for m in clips_of(options.latents)])
    if options.face_model and options.portraits:
        import soundfile

        reader = reading.TrackReader(options.face_model)
        with tempfile.TemporaryDirectory() as folder, contextlib.closing(reader):
            path = Path(folder) / "speech.wav"
            soundfile.write(path, audio, 16_000)
            shown = {"face_model": options.face_model, "steps": options.steps, "sampler": options.sampler}

            def animate(portrait: str, seed: int, mode: str) -> Any:
                return talking.animate(portrait, path, seed=seed, blinks=mode, **shown)

            report["pictures"] = blinking.in_images(animate, reader, options.portraits, show_progress)
    blinking.show(report)
    return {"model": face.source, "speech": source, **report}


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
