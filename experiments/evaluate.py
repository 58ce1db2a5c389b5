"""Scores a model on held-out clips, with rows that need no model always beside it.

    python -m experiments.evaluate --suite=face --checkpoint=bundled --data=data --face_model=face_landmarker.task
    python -m experiments.evaluate --suite=motion --checkpoint=RELEASE --data=data --face_model=... --report=motion.json
    python -m experiments.evaluate --suite=synthetic --checkpoint=RELEASE --data=data
    python -m experiments.evaluate --suite=guidance --checkpoint=RELEASE --data=data
    python -m experiments.evaluate --suite=solvers --checkpoint=RELEASE --data=data
    python -m experiments.evaluate --suite=long_form --checkpoint=RELEASE --data=data --seconds=600
    python -m experiments.evaluate --suite=wander --speech=A.wav,B.wav --latents=grid.npz --seconds=60
    python -m experiments.evaluate --suite=blinks --speech=A.wav --portraits=A.jpg,B.jpg --face_model=... --seconds=60
    python -m experiments.evaluate --suite=stability --checkpoint=WORKDIR
    python -m experiments.evaluate --suite=talking_portraits --data=PICTURES --audio=speech.wav --face_model=...
    python -m experiments.evaluate --suite=asked --data=PICTURES --face_model=...
    python -m experiments.evaluate --suite=portraits --data=PHOTOGRAPHS --without_faces=PICTURES --clips=200

--checkpoint is a release directory, `bundled`, or the workdir of a face model; --motion_checkpoint names a motion
model elsewhere. With --report, the face suite leaves filmstrips beside the report.
"""

import contextlib
import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from absl import flags

from experiments.common import app
from vasa_jax import conditions
from vasa_jax.errors import UsageError

_SUITE = flags.DEFINE_enum(
    "suite",
    None,
    [
        *("face", "motion", "synthetic", "guidance", "solvers", "long_form", "wander", "blinks", "stability"),
        *("portraits", "talking_portraits", "asked"),
    ],
    "What to score.",
)
_CHECKPOINT = flags.DEFINE_string("checkpoint", "bundled", "Release directory, 'bundled', or a face workdir.")
_MOTION = flags.DEFINE_string("motion_checkpoint", None, "Release or motion workdir, if not that of --checkpoint.")
_SPEECH_MODEL = flags.DEFINE_string("speech_model", None, "Folder of the wav2vec2 model that the motion model needs.")
_DATA = flags.DEFINE_string("data", "data", "Folder of the data sets.")
_FACE_MODEL = flags.DEFINE_string("face_model", None, "The MediaPipe face landmarker's .task file, to read images.")
_IDENTITY = flags.DEFINE_string("identity_model", None, "A face recognition network (ONNX, 112 px).")
_LPIPS_NETWORK = flags.DEFINE_string("lpips_network", None, "torchvision's AlexNet or VGG-16 (.pth), for LPIPS.")
_LPIPS_LINEAR = flags.DEFINE_string("lpips_linear", None, "LPIPS's v0.1/alex.pth or vgg.pth, for the same network.")
_TRACKS = flags.DEFINE_string(
    "tracks", None, "Folder in which tracks of real images, and drawn heads, are kept for the next run."
)
_CLIPS = flags.DEFINE_integer("clips", 24, "Clips per split, speakers in turn; 0: all.", lower_bound=0)
_SPLITS = flags.DEFINE_list(
    "splits", ["test", "unseen"], "Splits of GRID for the suites face and motion; --splits= leaves GRID out."
)
_WITHOUT_FACES = flags.DEFINE_string("without_faces", None, "Folder of images without a face (portraits).")
_HEADS = flags.DEFINE_integer("heads", 16, "Procedural people for the suites face and motion; 0: none.", lower_bound=0)
_SPEAKERS = flags.DEFINE_list("speakers", [], "Only these; by default all (motion: the one with most clips).")
_DECODE = flags.DEFINE_bool("decode", True, "Motion: --nodecode reads mouth and lids off the latents.")
_SEED = flags.DEFINE_integer("seed", 0, "Of the generated motion; the second seed is the next one.", lower_bound=0)
_STEPS = flags.DEFINE_integer("steps", 10, "Denoising steps a window.", lower_bound=1)
_SAMPLER = flags.DEFINE_string("sampler", "dpm++", "ddpm, ddim or dpm++.")
_SECONDS = flags.DEFINE_integer("seconds", 600, "Of motion, for long_form, wander and blinks.", lower_bound=5)
_SEEDS = flags.DEFINE_integer("seeds", 20, "How many, for wander and blinks; --seed is the first.", lower_bound=1)
_SPEECH = flags.DEFINE_list("speech", [], "Recordings for long_form, wander and blinks, one after another.")
_LATENTS = flags.DEFINE_string("latents", None, "Latents cache of real clips that stand beside, for wander and blinks.")
_PORTRAITS = flags.DEFINE_list("portraits", [], "Pictures of people for blinks, to be read with --face_model.")
_WINDOWS = flags.DEFINE_integer("windows", 12, "Held-out windows for the suites solvers and guidance.", lower_bound=1)
_AUDIO = flags.DEFINE_list(
    "audio", [], "Recordings or folders of them for talking_portraits; by default the project's own."
)
_REAL = flags.DEFINE_string("real", None, "Videos of real talking people, SPEAKER/CLIP.mp4, for talking_portraits.")
_CFG_AUDIO = flags.DEFINE_float("cfg_audio", conditions.get("audio").guidance, "Guidance by the audio.")
_CFG_GAZE = flags.DEFINE_float("cfg_gaze", conditions.get("gaze").guidance, "Guidance by the gaze.")


def _progress(name: str) -> Any:
    import tqdm

    return lambda items: tqdm.tqdm(items, desc=name, unit="clip", mininterval=2)


def _identity() -> tuple[Any, str]:
    from vasa_jax.metrics import identity

    if not _IDENTITY.value:
        return None, "not run: give --identity_model"
    return identity.FaceRecogniser(_IDENTITY.value), Path(_IDENTITY.value).name


def _lpips() -> tuple[Any, str]:
    from vasa_jax.metrics import lpips

    given = [name for flag, name in ((_LPIPS_NETWORK, "network"), (_LPIPS_LINEAR, "linear")) if flag.value]
    if len(given) == 1:
        raise UsageError(f"--lpips_{given[0]} alone: give both --lpips_network and --lpips_linear")
    if not given:
        return None, "not run: give --lpips_network and --lpips_linear"
    measure = lpips.Lpips(_LPIPS_NETWORK.value, _LPIPS_LINEAR.value)
    return measure, measure.kind


def _reader(face: Any) -> Any:
    from experiments.evaluation import reading

    if _FACE_MODEL.value:
        return reading.TrackReader(_FACE_MODEL.value, _TRACKS.value)
    print("without --face_model, images are read by the model itself: numbers flatter it", file=sys.stderr)
    return reading.ModelReader(face)


def _head_reader(size: int) -> Any:
    """For procedural heads: never the model that is judged."""
    from experiments.evaluation import data, reading

    if _FACE_MODEL.value:
        return reading.TrackReader(_FACE_MODEL.value)
    return reading.HogReader.learn(data.HeldOut(_DATA.value, "procedural_heads", "train", size))


def face_suite() -> dict[str, Any]:
    """Report of the face model: swaps on procedural heads, reenactment on GRID, and what was reached."""
    from experiments.evaluation import models, verdicts

    (recogniser, identity), (lpips, distance) = _identity(), _lpips()
    model = models.FaceModel(models.open_trained(_CHECKPOINT.value, "face", "--checkpoint"))
    report: dict[str, Any] = {"model": model.source, "identity": identity, "lpips": distance}
    measures = recogniser, lpips
    if _HEADS.value:
        report["heads"] = _score_heads(model, measures)
    if _SPLITS.value:
        report |= _score_grid(model, measures)
    report["verdicts"] = verdicts.judge(report)
    verdicts.show(report["verdicts"])
    print(f"\nidentity: {identity}; LPIPS: {distance}")
    return report


def _score_heads(model: Any, measures: tuple[Any, Any]) -> dict[str, Any]:
    from experiments.evaluation import filmstrip, puppets, swap_tables, swaps

    with contextlib.closing(_head_reader(model.size)) as reader:
        suite = swaps.SwapSuite(model, reader, *measures)
        cast = puppets.acts(_HEADS.value, model.size, _SEED.value, _TRACKS.value)
        report, sheet = suite.run(_progress("face, procedural heads")(cast))
    report = {"read_by": reader.name, **report}
    swap_tables.show(report)
    if app.REPORT.value:
        path = Path(app.REPORT.value).with_suffix(".heads.jpg")
        filmstrip.save(path, [filmstrip.sheet(sheet[: filmstrip.ROWS], swap_tables.TITLES)])
        report["sheet"] = path.name
        print(f"  image sheet: {path}")
    return report


def _score_grid(model: Any, measures: tuple[Any, Any]) -> dict[str, Any]:
    from experiments.evaluation import data, face, filmstrip

    with contextlib.closing(_reader(model)) as reader:
        suite = face.FaceSuite(model, reader, *measures)
        report: dict[str, Any] = {"read_by": reader.name, "splits": {}}
        for name in _SPLITS.value:
            split = data.HeldOut(_DATA.value, "grid", name, model.size)
            result, strips = suite.run(split, split.choose(_CLIPS.value, _SPEAKERS.value), _progress(f"face, {name}"))
            face.show(name, result)
            report["splits"][name] = result
            if app.REPORT.value:
                path = Path(app.REPORT.value).with_suffix(f".{name}.png")
                filmstrip.save(path, strips)
                result["filmstrip"] = path.name
                print(f"  filmstrip: {path}")
    print(f"\nread by: {reader.name}")
    return report


def motion_suite() -> dict[str, Any]:
    """Report of the motion model on held-out GRID sentences and on procedural heads."""
    from experiments.evaluation import models

    face = models.FaceModel(models.open_trained(_CHECKPOINT.value, "face", "--checkpoint"))
    generator = models.load_motion(_MOTION.value or _CHECKPOINT.value, _SPEECH_MODEL.value)
    scales = {"audio": _CFG_AUDIO.value, "gaze": _CFG_GAZE.value}
    how = {"steps": _STEPS.value, "method": _SAMPLER.value, "guidance": scales}
    report: dict[str, Any] = {"model": face.source, "motion_model": _MOTION.value}
    report["controls"] = {"seed": _SEED.value, **{f"cfg_{name}": value for name, value in scales.items()}} | {
        "steps": _STEPS.value, "sampler": _SAMPLER.value
    }  # fmt: skip
    if _SPLITS.value:
        report |= _sentences(face, generator, how)
    if _HEADS.value:
        from experiments.evaluation import latent_suites

        how |= {"seed": _SEED.value}
        report["heads"] = latent_suites.heads(
            face, generator, how, _DATA.value, _HEADS.value, _progress("motion, heads")
        )
    return report


def _sentences(face: Any, generator: Any, how: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    from experiments.evaluation import data, motion

    def generate(audio: Any, frames: int, seed: int) -> Any:
        return np.concatenate(list(generator.windows(iter([audio]), frames, seed=seed, **how)))

    train = data.HeldOut(_DATA.value, "grid", "train", face.size)
    reports = {}
    with contextlib.closing(_reader(face)) if _DECODE.value else contextlib.nullcontext() as reader:
        suite = motion.MotionSuite(face, generate, reader, _SEED.value)
        for name in _SPLITS.value:
            split = data.HeldOut(_DATA.value, "grid", name, face.size)
            speakers = _SPEAKERS.value or ([split.main_speaker()] if name == "test" else [])
            reports[name] = suite.run(split, train, split.choose(_CLIPS.value, speakers), _progress(f"motion, {name}"))
            motion.show(reports[name])
    read_by = reader.name if reader else "the latents, without decoding (--nodecode)"
    print(f"\nread by: {read_by}")
    return {"read_by": read_by, **reports.pop("test", {}), **reports}


def synthetic_suite() -> dict[str, Any]:
    """Report of both models on procedural heads."""
    from experiments.evaluation import data, models, synthetic
    from vasa_jax.errors import InputError

    face = models.FaceModel(models.open_trained(_CHECKPOINT.value, "face", "--checkpoint"))
    name = "procedural_heads"
    test = data.HeldOut(_DATA.value, name, "test", face.size)
    motion = distance = None
    note = "run"
    try:
        motion = models.load_motion(_MOTION.value or _CHECKPOINT.value, _SPEECH_MODEL.value)
        distance = synthetic.DistanceScale.find(_DATA.value, name, data.HeldOut(_DATA.value, name, "train", face.size))
    except (InputError, UsageError) as error:
        if _MOTION.value:
            raise
        note = f"not run: {error}"
        print(f"motion {note}", file=sys.stderr)
    suite = synthetic.SyntheticSuite(face, motion, distance, _SEED.value, _STEPS.value)
    report = suite.run(test, test.choose(_CLIPS.value, _SPEAKERS.value), _progress("synthetic"))
    synthetic.show(report)
    return {"model": face.source, "motion": note, **report}


def latent_suite(name: str) -> dict[str, Any]:
    """Report of a suite that looks at the motion: solvers, guidance, long_form, wander or blinks."""
    from experiments.evaluation import latent_suites

    options = latent_suites.Options(
        checkpoint=_CHECKPOINT.value,
        motion_checkpoint=_MOTION.value,
        speech_model=_SPEECH_MODEL.value,
        data=_DATA.value,
        seed=_SEED.value,
        steps=_STEPS.value,
        sampler=_SAMPLER.value,
        windows=_WINDOWS.value,
        seconds=_SECONDS.value,
        seeds=_SEEDS.value,
        latents=_LATENTS.value,
        speech=tuple(_SPEECH.value),
        face_model=_FACE_MODEL.value,
        portraits=tuple(_PORTRAITS.value),
    )
    more = {} if name in ("guidance", "solvers") else {"show_progress": _progress(name)}
    return getattr(latent_suites, name)(options, **more)


def talking_portraits_suite() -> dict[str, Any]:
    """Report of stills that talk; --data is a folder of images."""
    from data_pipelines.prepare import tracking
    from experiments.evaluation import filmstrip, stills, talking_portraits, verdicts
    from vasa_jax import TalkingFace

    if not _FACE_MODEL.value:
        raise UsageError("--face_model is missing: the MediaPipe face landmarker, to read the images")
    recogniser, named = _identity()
    portraits = stills.find_stills(_DATA.value, _CLIPS.value)
    speech = stills.find_speech(_AUDIO.value or [stills.OWN_SPEECH], stills.SECONDS, len(portraits))
    controls = {"seed": _SEED.value, "steps": _STEPS.value, "sampler": _SAMPLER.value}
    controls |= {"cfg_audio": _CFG_AUDIO.value, "cfg_gaze": _CFG_GAZE.value}
    face = TalkingFace.load(_CHECKPOINT.value, _SPEECH_MODEL.value)
    with contextlib.closing(tracking.MediaPipeTracker(_FACE_MODEL.value)) as tracker:
        suite = talking_portraits.PortraitSuite(face, tracker, recogniser, controls)
        real = functools.partial(stills.real_clips, _REAL.value, tracker, show_progress=_progress("real faces"))
        result, looks = suite.run(portraits, speech, real if _REAL.value else None, _progress("talking portraits"))
    report = {"model": {"release": face.source, "sha256": face.model_hash}, "identity": named, "controls": controls}
    report |= {"read_by": "478-point tracks of the decoded files", **result}
    report["verdicts"] = verdicts.judge(report, talking_portraits.TARGETS)
    talking_portraits.show(report)
    verdicts.show(report["verdicts"])
    if app.REPORT.value:
        path = Path(app.REPORT.value).with_suffix(".jpg")
        filmstrip.save(path, [talking_portraits.contact_sheet(looks)])
        report["sheet"] = path.name
        print(f"\n  contact sheet: {path}")
    return report


def stability_suite() -> dict[str, Any]:
    """Report of how a run trained; --checkpoint is its workdir."""
    from experiments.evaluation import stability

    report = stability.report(_CHECKPOINT.value)
    stability.show(report)
    return report


def portraits_suite() -> dict[str, Any]:
    """Report of finding faces: --clips photographs of --data in four turns, and images without a face."""
    from experiments.evaluation import portraits
    from vasa_jax import images
    from vasa_jax.inference import portrait
    from vasa_jax.inference.talking_face import TalkingFace

    renderer = TalkingFace.load(_CHECKPOINT.value).renderer

    def find(image: Any) -> portrait.FaceBox:
        return portrait.find_face(image, pose_of=renderer.pose, resolution=renderer.size)

    photographs = portraits.photographs(_DATA.value, _CLIPS.value, _SEED.value)
    rows = [row for one in _progress("photographs")(photographs) for row in portraits.judge(one, find)]
    others = [("drawn", name, image) for name, image in portraits.drawn(60, _SEED.value)]
    if _WITHOUT_FACES.value:
        folders = portraits.folders(_WITHOUT_FACES.value)
        others += [(at.name, path.name, images.read_image(path)) for at in folders for path in portraits.files_of(at)]
    report = portraits.summary(rows, portraits.without_faces(_progress("without a face")(others), find))
    portraits.show(report)
    return {"model": _CHECKPOINT.value, "seed": _SEED.value, "least_overlap": portraits.LEAST_OVERLAP, **report}


def asked_suite() -> dict[str, Any]:
    """Report of stills that are asked for a gaze and for emotions; --data is a folder of images."""
    from experiments.evaluation import asked

    if not _FACE_MODEL.value:
        raise UsageError("--face_model is missing: the MediaPipe face landmarker, to read the images")
    sheet = app.REPORT.value and Path(app.REPORT.value).with_suffix(".jpg")
    return asked.suite(
        _CHECKPOINT.value, _DATA.value, _CLIPS.value, _FACE_MODEL.value, sheet or None, _progress("asked")
    )


LATENT_SUITES = ("guidance", "solvers", "long_form", "wander", "blinks")
SUITES: dict[str, Callable[[], dict[str, Any]]] = {
    "face": face_suite,
    "motion": motion_suite,
    "synthetic": synthetic_suite,
    **{name: functools.partial(latent_suite, name) for name in LATENT_SUITES},
    "stability": stability_suite,
    "talking_portraits": talking_portraits_suite,
    "portraits": portraits_suite,
    "asked": asked_suite,
}


def main() -> dict[str, Any]:
    """Runs the suite; returns the report."""
    if _SUITE.value is None:
        raise UsageError(f"--suite is missing: {', '.join(SUITES)}")
    app.compile_cache()
    start = time.monotonic()
    report = SUITES[_SUITE.value]()
    from experiments.evaluation import tables
    from vasa_jax.training import manifest

    head = {
        "suite": _SUITE.value,
        "command": ["vasa-evaluate", *sys.argv[1:]],
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "device": manifest.devices(),
        "versions": manifest.versions(),
        "commit": manifest.commit(),
        "seconds": round(time.monotonic() - start, 1),
    }
    return tables.plain(head | report)


HELP = app.Help(
    example="--suite=face --splits= --heads=8 --face_model=face_landmarker.task --report=face.json",
    groups={
        "what is scored": (_SUITE, _CHECKPOINT, _MOTION, _SPEECH_MODEL),
        "on what": (_DATA, _SPLITS, _CLIPS, _SPEAKERS, _HEADS, _WINDOWS, _SECONDS, _SEEDS),
        "with which recordings and images": (_SPEECH, _AUDIO, _PORTRAITS, _WITHOUT_FACES, _LATENTS, _REAL),
        "by what": (_FACE_MODEL, _IDENTITY, _LPIPS_NETWORK, _LPIPS_LINEAR, _TRACKS, _DECODE),
        "how motion is generated": (_SEED, _STEPS, _SAMPLER, _CFG_AUDIO, _CFG_GAZE),
    },
)


def run() -> None:
    """The console script vasa-evaluate."""
    app.run(main, info=HELP)


if __name__ == "__main__":
    run()
