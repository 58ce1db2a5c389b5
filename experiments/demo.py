"""Portraits and a recording that the project ships become talking videos and a page about them: `make demo`.

Writes OUTPUT/talking.mp4 and OUTPUT/report.html, and beside them a photograph and a painting that say the same. With
--portrait and --audio it does the first two with your own.
"""

import dataclasses
import sys
import time
from pathlib import Path
from typing import Any

from absl import flags

from experiments.common import app
from vasa_jax import paths
from vasa_jax.errors import InputError, UsageError

ASSETS = Path(__file__).resolve().parents[1] / "vasa_jax" / "assets"
PORTRAIT, SPEECH = ASSETS / "portrait.jpg", ASSETS / "speech.flac"
OTHERS = {"photo": "a photograph of a person who does not exist", "painting": "a painting"}
"""What speaks beside the drawn head: name of the image and of the video, what it is."""
MAX_SECONDS = 60  # the page holds the video and all of its frames at once
_STEPS = 5


@dataclasses.dataclass(frozen=True)
class Job:
    """What speaks, what it says, the .mp4 to write (report.html goes beside it), whose weights, which motion."""

    portrait: Path
    audio: Path
    output: Path
    checkpoint: str = "bundled"
    seed: int = 0
    others: tuple[str, ...] = ()
    """Of OTHERS: whose videos are made too."""

    @property
    def page(self) -> Path:
        return self.output.with_name("report.html")

    @property
    def shipped(self) -> bool:
        """Whether both inputs are the project's own."""
        return (self.portrait, self.audio) == (PORTRAIT, SPEECH)


def define_flags() -> None:
    """Here and not at import, so that the demo can be imported beside other commands."""
    flags.DEFINE_string("output", "demo", "Folder for talking.mp4 and report.html.")
    flags.DEFINE_string("portrait", str(PORTRAIT), "Picture of one face.")
    flags.DEFINE_string("audio", str(SPEECH), f"Speech of at most {MAX_SECONDS} s.")
    flags.DEFINE_string("checkpoint", "bundled", "Folder of a release, 'bundled' or 'bundled-fast'.")
    flags.DEFINE_integer("seed", 0, "Same seed, same motion.")


def main() -> dict[str, Any]:
    """The demo with the flags of the command line."""
    wanted = flags.FLAGS
    for path in (PORTRAIT, SPEECH):
        if str(path) in (wanted.portrait, wanted.audio) and not path.is_file():
            raise InputError(f"{path} is missing from this copy of the project; fetch the project again")
    portrait = paths.check_file(wanted.portrait, "an image")
    audio = paths.check_file(wanted.audio, "a recording")
    folder = Path(wanted.output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--output={folder} cannot be made ({error.strerror}); choose another folder") from None
    output = paths.check_output(folder / "talking.mp4")
    job = Job(portrait, audio, output, wanted.checkpoint, wanted.seed)
    return run_demo(dataclasses.replace(job, others=tuple(OTHERS)) if job.shipped else job)


def run_demo(job: Job, face: Any = None) -> dict[str, Any]:
    """Generates, measures and verifies the video and writes the page.

    Args:
      job: see Job.
      face: a TalkingFace to use instead of loading the checkpoint.

    Returns:
      The report: files, timings, measurements, verdict.
    """
    begun = time.monotonic()
    print("vasa_jax demo: one portrait and one recording become a talking face\n")
    _step(1, "loading JAX and the weights")
    app.compile_cache()
    from experiments.common import demo_page
    from vasa_jax import media
    from vasa_jax.inference.talking_face import TalkingFace
    from vasa_jax.provenance.verify import verify
    from vasa_jax.report import measure, page

    if media.AudioReader(job.audio).seconds > MAX_SECONDS:
        raise UsageError(f"{job.audio} is longer than {MAX_SECONDS} s; the demo takes short ones: use vasa-generate")
    face = face or TalkingFace.load(job.checkpoint)
    seconds = {"load": time.monotonic() - begun}
    made = _generate(job, face, seconds)
    start = time.monotonic()
    others = {name: _other(job, face, name) for name in job.others}
    seconds["others"] = time.monotonic() - start
    _step(5, "measuring and verifying the video, writing the page")
    start = time.monotonic()
    clip = measure.read_video(job.output, face.renderer)
    verdict = verify(job.output)
    seconds["measure"] = time.monotonic() - start
    report = demo_page.build(job, made, clip, verdict, seconds, others)
    page.write(job.page, report)
    seconds["total"] = time.monotonic() - begun
    if not verdict.intact:
        raise InputError(f"{verdict.text}; it was just made, so this is a fault of the program: please report it")
    _tell(job, made, report.commands, report.verify_command, seconds["total"])
    from vasa_jax.training import manifest

    return {
        "command": ["experiments.demo", *sys.argv[1:]],
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "device": manifest.devices() | {"cores": demo_page.cores()},
        "versions": manifest.versions(),
        "commit": manifest.commit(),
        "video": job.output,
        "page": job.page,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "measured": measure.summary(clip.readings),
        "intact": verdict.intact,
        "generation": made,
    }


def _generate(job: Job, face: Any, seconds: dict[str, float]) -> dict[str, Any]:
    """Writes the video; adds the seconds of every stage, those of compilation apart from the rest."""
    import numpy as np
    import tqdm

    _step(2, "finding the face, encoding the portrait")
    start = time.monotonic()
    video = face.animate(job.portrait, job.audio, seed=job.seed)
    seconds["portrait"] = time.monotonic() - start
    _step(3, "compiling for this machine (kept for the next run)")
    start = time.monotonic()
    next(iter(video))
    blank = np.zeros((face.renderer.size, face.renderer.size, 3), np.uint8)
    motion = next(face.renderer.motion(iter([blank])))
    face.renderer.labels(motion[None, 7:])
    seconds["compile"] = time.monotonic() - start
    before = dict(video.watch.seconds)
    _step(4, f"generating {len(video)} frames, {len(video) / video.fps:.1f} s of video")
    with tqdm.tqdm(total=len(video), unit="frame", ncols=78, mininterval=0.2 if sys.stderr.isatty() else 5) as bar:
        made = video.save(job.output, progress=lambda done, _: bar.update(done - bar.n))
    for stage in ("motion", "decode", "write", "sign"):
        seconds[stage] = video.watch.seconds[stage] - before.get(stage, 0.0)
    seconds["generate"] = video.watch.seconds["generate_total"]
    return made


def _other(job: Job, face: Any, name: str) -> Path:
    """The video of one of OTHERS."""
    output = job.output.with_name(f"{name}.mp4")
    print(f"       and {OTHERS[name]}", flush=True)
    face.animate(ASSETS / f"{name}.jpg", job.audio, seed=job.seed).save(output)
    return output


def _step(number: int, text: str) -> None:
    print(f"  {number}/{_STEPS}  {text}", flush=True)


def _tell(job: Job, made: dict[str, Any], commands: Any, verify_command: str, total: float) -> None:
    made_in = made["timings"]["generate_total"]
    for name in job.others:
        print(f"\n  video   {job.output.with_name(name + '.mp4')}  ({OTHERS[name]})", end="")
    print(f"\n  video   {job.output}  ({made['seconds']:.1f} s, {made['size']} px, made in {made_in:.1f} s)")
    print(f"  report  {job.page}  (open it in a browser)")
    print(f"  done in {total:.0f} s\n\nNext:")
    for line in [command for _, command in commands[:2]] + [verify_command]:
        print(f"  {line}")


def run() -> None:
    """Of `python -m experiments.demo`."""
    define_flags()
    app.run(main)


if __name__ == "__main__":
    run()
