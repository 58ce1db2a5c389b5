"""The words and numbers of the demo's page."""

import datetime
import importlib.metadata
import os
import platform
import sys
from pathlib import Path
from typing import Any

import jax

from vasa_jax import images, weights
from vasa_jax.errors import InputError
from vasa_jax.inference.portrait import FaceBox
from vasa_jax.inference.talking_face import version
from vasa_jax.provenance.verify import Verdict
from vasa_jax.report import measure, page

_STAGES = (
    ("load", "Load", "JAX and the weights, SHA-256 checked", False),
    ("portrait", "Portrait", "find the face, encode it once; compiles two encoders", False),
    ("compile", "Compile", "the motion model and the decoder, for this machine; short when run again", False),
    ("motion", "Speech to motion", "diffusion transformer, 10 steps a window", True),
    ("decode", "Motion to images", "warps and generator", True),
    ("write", "Write", "badge, H.264 and AAC", True),
    ("sign", "Sign", "content credentials", False),
    ("others", "Two more videos", "a photograph and a painting, all stages", False),
    ("measure", "Measure and verify", "read the video back, encode every frame, check the signature", True),
)
_GRID = (
    "M. Cooke, J. Barker, S. Cunningham and X. Shao, “An audio-visual corpus for speech perception and automatic "
    "speech recognition”, JASA 120(5), 2006"
)

_OTHERS = {
    "photo": "A photograph of a person who does not exist (generated, CC0; vasa_jax/assets/README.md).",
    "painting": "Leonardo da Vinci, Mona Lisa, about 1503 (public domain).",
}


def build(
    job: Any,
    made: dict[str, Any],
    clip: measure.Clip,
    verdict: Verdict,
    seconds: dict[str, float],
    others: dict[str, Path],
) -> page.Report:
    """The page's content.

    Args:
      job: `experiments.demo.Job`.
      made: report of `Video.save`.
      clip: the video, measured.
      verdict: of its verification.
      seconds: of each stage in _STAGES, and "generate".
      others: name of a portrait -> its video.
    """
    frames, length = made["frames"], made["seconds"]
    stages = [
        page.Stage(name, note, seconds[key], frames if each else None)
        for key, name, note, each in _STAGES
        if key != "others" or others
    ]
    speed = frames / max(seconds["generate"], 1e-6)
    bundled = job.checkpoint == weights.BUNDLED
    return page.Report(
        title="vasa_jax demo",
        heading="One image, one recording, one talking face",
        lede=f"{length:.1f} seconds of video in {seconds['generate']:.1f} seconds: {speed:.0f} frames a second on "
        f"{_device(short=True)}.",
        date=datetime.date.today().strftime("%d %B %Y").lstrip("0"),
        version=version(),
        inputs=_inputs(job, length),
        result=f"{job.output.name}: {made['size']} × {made['size']} pixels, 25 frames a second, H.264 and AAC.",
        hardware=f"{_device()}.",
        card=_card(bundled),
        footer=_footer(bundled),
        video=job.output,
        others=[(_OTHERS[name], path) for name, path in others.items()],
        portrait=images.read_image(job.portrait),
        box=FaceBox(**made["face_box"]),
        clip=clip,
        stats=_stats(measure.summary(clip.readings)),
        stages=stages,
        facts=_facts(job, made),
        commands=_commands(job),
        verify_command=f"{_command('verify')} {_relative(job.output)}",
        verdict="made by vasa_jax, marks intact" if verdict.intact else verdict.text,
        intact=verdict.intact,
    )


def _inputs(job: Any, length: float) -> str:
    square = "The square is what the model sees."
    if job.shipped:
        words = f"a person who does not exist, drawn by this project, and {length:.1f} s of synthesised speech"
        return f"Given: {words}. {square}"
    return f"Given: {job.portrait.name} and {job.audio.name}. {square}"


def _device(short: bool = False) -> str:
    device = jax.devices()[0]
    if device.platform != "cpu":
        return f"one {device.device_kind}" if short else f"Measured on one {device.device_kind}"
    words = f"{cores()} CPU core{'s' if cores() != 1 else ''}"
    return words if short else f"Measured on {words} ({_processor()}), no accelerator"


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _stats(found: dict[str, float | None]) -> list[tuple[str, str]]:
    """Large print; what the recording cannot tell is left out."""
    rows = (
        ("mouth opening while there is audio", "mouth_speaking", "{:.1%}"),
        ("mouth opening in the pauses", "mouth_pausing", "{:.1%}"),
        ("correlation of mouth opening and loudness", "follows", "{:.2f}"),
        ("range of the head turn", "turn_range", "{:.0f}°"),
    )
    known = [(what, form.format(found[key])) for what, key, form in rows if found[key] is not None]
    return [(what, text.replace("%", " %").replace("-", "−")) for what, text in known]


def _facts(job: Any, made: dict[str, Any]) -> list[tuple[str, str]]:
    facts = []
    try:
        release = weights.load_release(job.checkpoint)
    except InputError:  # the face was not loaded from there
        release = None
    if release is not None:
        face, motion = release.face_config, release.motion_config
        words = f"{face['size']} px, {_count(release.face_params)}{_run(release.info, 'face_run')}"
        facts.append(("Face model", words))
        if motion is not None:
            words = f"{motion['depth']} layers, {_count(release.motion_params)}{_run(release.info, 'motion_run')}"
            facts.append(("Motion model", words))
    controls = made["controls"]
    guidance = f"guidance {controls['cfg_audio']:g} for audio and {controls['cfg_gaze']:g} for gaze"
    versions = f"jax {importlib.metadata.version('jax')}, Python {platform.python_version()}"
    return [
        *facts,
        ("Weights", f"{job.checkpoint}, manifest SHA-256 {made['model_hash'][:16]}…"),
        ("Controls", f"seed {controls['seed']}, {controls['steps']} denoising steps, {guidance}"),
        ("Software", f"vasa_jax {version()}, {versions}"),
    ]


def _count(params: Any) -> str:
    return f"{sum(leaf.size for leaf in jax.tree.leaves(params)) / 1e6:.1f} million parameters"


def _run(info: dict[str, Any], name: str) -> str:
    step = (info.get(name) or {}).get("step")
    return f", step {step:,} of its last training run" if step else ""


def _card(bundled: bool) -> str:
    if not bundled:
        return "Weights of your own choice."
    return (
        "The weights that come with the project, trained by its own commands on six speakers of the GRID corpus, "
        "photographs of 2,600 people, rigged and drawn heads. What they are for and where they fail is in "
        "vasa_jax/bundled/MODEL_CARD.md."
    )


def _footer(bundled: bool) -> str:
    words = "Animate faces only of people who agreed to it, and say that the video is generated."
    if bundled:
        words += f" Code and weights: Apache-2.0. Training data: the GRID corpus, CC BY 4.0 ({_GRID})."
    return words


def _commands(job: Any) -> list[tuple[str, str]]:
    generate = _command("generate")
    portrait, audio = _relative(job.portrait), _relative(job.audio)
    whose = "" if job.checkpoint == weights.BUNDLED else f" --checkpoint={job.checkpoint}"
    glad = f"--portrait={portrait} --audio={audio} --output={_relative(job.output.with_name('glad.mp4'))}"
    return [
        (
            "Your own image and recording: any format, a face that looks roughly at the camera, 0.2 s to 10 minutes.",
            f"{generate} --portrait=ME.jpg --audio=SPEECH.wav --output=me.mp4{whose}",
        ),
        ("The same face, glad.", f"{generate} {glad} --emotion=happiness:0.8{whose}"),
        (
            "This page about your own image and recording.",
            f"{_command('demo')} --portrait=ME.jpg --audio=SPEECH.wav --output=demo_me{whose}",
        ),
    ]


def _command(name: str) -> str:
    """How to call a command from where the user stands."""
    script = Path(sys.executable).parent / f"vasa-{name}"
    return _relative(script) if script.exists() else f"{_relative(Path(sys.executable))} -m experiments.{name}"


def _relative(path: Path) -> str:
    """The path as the user would type it."""
    try:
        return str(Path(path).absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
