"""Makes a talking-face video of a portrait and a recording."""

import sys
from pathlib import Path
from typing import Any

from absl import flags

from experiments.common import app, condition_flags
from vasa_jax import paths
from vasa_jax.errors import InputError, UsageError

PORTRAIT = flags.DEFINE_string("portrait", None, "Picture of one face: photo, painting, drawing; any format and size.")
AUDIO = flags.DEFINE_string(
    "audio", None, "Speech of 0.2 s to 10 minutes: WAV, FLAC, MP3, OGG, M4A or a video with audio."
)
OUTPUT = flags.DEFINE_string("output", None, "The .mp4 to write.")
CHECKPOINT = flags.DEFINE_string("checkpoint", "bundled", "Folder of a release, 'bundled' or 'bundled-fast'.")
SEED = flags.DEFINE_integer("seed", 0, "Same seed, same motion.")
STEPS = flags.DEFINE_integer("steps", 10, "Denoising steps for each window of motion.")
CONDITIONS = condition_flags.define()  # --gaze, --cfg_gaze and the rest of the table in vasa_jax/conditions.py
SAMPLER = flags.DEFINE_string("sampler", "dpm++", "ddpm, ddim or dpm++.")
HOP = flags.DEFINE_integer("hop", None, "Frames used of each window of motion; fewer follow --track closer.")
TRACK = flags.DEFINE_string("track", None, "CSV file of gaze, distance and emotions over time; see docs/generate.md.")
BLINKS = flags.DEFINE_string("blinks", "auto", "auto, model (only the motion model's own, as they are) or off.")
POSE_FROM = flags.DEFINE_string(
    "pose_from", None, "Head motion: a video's, or frontal, spin, or portrait (held still). Default: from the speech."
)
DYNAMICS_FROM = flags.DEFINE_string(
    "dynamics_from", None, "Expression and lips: a video's, or portrait (held still). Default: from the speech."
)
FACE_MODEL = flags.DEFINE_string(
    "face_model", None, "MediaPipe face landmarker (.task) to find the face with; optional."
)
SPEECH_MODEL = flags.DEFINE_string(
    "speech_model", None, "Folder of the wav2vec2 model that the release listens through; the bundled one needs none."
)
SIZE = flags.DEFINE_integer("size", None, "Side of the video in pixels; by default what suits the model.")
BADGE = flags.DEFINE_bool("badge", True, "Draw the visible AI badge; hiding it is recorded in the credentials.")
CREDENTIALS = flags.DEFINE_bool("credentials", True, "Sign the video with C2PA content credentials.")
CONSENT = flags.DEFINE_bool(
    "consent", False, "The person shown agreed, or does not exist; recorded in the credentials (docs/use_policy.md)."
)
CERTIFICATE = flags.DEFINE_string("c2pa_cert", None, "PEM certificate chain to sign with, leaf first.")
KEY = flags.DEFINE_string("c2pa_key", None, "PEM private key of that chain.")


def _check_paths() -> None:
    """All that can be told from the names alone, before anything heavy is imported."""
    missing = [f"--{flag.name}" for flag in (PORTRAIT, AUDIO, OUTPUT) if not flag.value]
    if missing:
        raise UsageError(f"{', '.join(missing)} needed: --portrait=PICTURE --audio=RECORDING --output=VIDEO.mp4")
    from vasa_jax.inference import editing

    output = paths.check_output(OUTPUT.value)
    driver = "a video of one face, or one of the names in --help"
    given = [(PORTRAIT, "an image"), (AUDIO, "a recording")]
    given += [(flag, driver) for flag in (POSE_FROM, DYNAMICS_FROM) if editing.is_video(flag.value)]
    for flag, what in [*given, (FACE_MODEL, "a MediaPipe face landmarker")]:
        if flag.value is not None:
            source = paths.check_file(flag.value, what)
            if output.exists() and output.samefile(source):
                raise UsageError(f"--output={output} is also --{flag.name}: give another name")


def main() -> dict[str, Any]:
    """Makes the video; the report says what was made and how long each stage took."""
    _check_paths()
    from vasa_jax import images, media
    from vasa_jax.inference import tracks
    from vasa_jax.inference.controls import Controls
    from vasa_jax.provenance import credentials, keys

    wanted = {
        "seed": SEED.value,
        "steps": STEPS.value,
        "sampler": SAMPLER.value,
        "hop": HOP.value,
        "blinks": BLINKS.value,
        **CONDITIONS.controls(),
    }
    Controls(**tracks.merge(wanted, TRACK.value))
    lines: list[str] = []  # said once all inputs are taken: what is refused is one line
    if CREDENTIALS.value:
        credentials.require()
        if not keys.signing_key(CERTIFICATE.value, KEY.value).kept:
            lines.append("no home folder for a key: signed with one of this run; set VASA_KEYS to keep one")
    else:
        lines.append("WARNING: no content credentials: badge and watermark alone tell that this is generated")
    noted: list[str] = []
    try:
        images.read_image(PORTRAIT.value, noted.append)
        lines += [f"{PORTRAIT.value}: {line}" for line in noted]
        lines += [f"{AUDIO.value}: {line}" for line in media.AudioReader(AUDIO.value).notes]
        return _generate(wanted, lines)
    except InputError as error:
        if noted and Path(PORTRAIT.value).name in str(error):  # it may be why
            raise InputError(f"{error} ({'; '.join(noted)})") from error
        raise


def _generate(wanted: dict[str, Any], lines: list[str]) -> dict[str, Any]:
    import tqdm

    from vasa_jax.inference.portrait import remarks
    from vasa_jax.inference.talking_face import Stopwatch, TalkingFace

    app.compile_cache()
    watch = Stopwatch()
    face = watch.call("load", TalkingFace.load, CHECKPOINT.value, SPEECH_MODEL.value)
    video = face.animate(
        PORTRAIT.value,
        AUDIO.value,
        pose_from=POSE_FROM.value,
        dynamics_from=DYNAMICS_FROM.value,
        face_model=FACE_MODEL.value,
        size=SIZE.value,
        track=TRACK.value,
        **wanted,
    )
    video.info["provenance"]["consent"] = CONSENT.value
    if not CONSENT.value:
        lines.append("animate only people who agreed to it: say so with --consent (docs/use_policy.md)")
    for line in dict.fromkeys(lines + video.info["notes"] + remarks(PORTRAIT.value, video.info["face_box"])):
        print(line, file=sys.stderr)
    slow = not sys.stderr.isatty()
    with tqdm.tqdm(total=len(video), unit="frame", desc="generating", mininterval=10 if slow else 0.2) as bar:
        report = video.save(
            OUTPUT.value,
            badge=BADGE.value,
            credentials=CREDENTIALS.value,
            certificate=CERTIFICATE.value,
            key=KEY.value,
            progress=lambda done, _: bar.update(done - bar.n),
        )
    report["timings"] = {"load": round(watch.seconds["load"], 4), **report["timings"]}
    seconds = report["timings"]["generate_total"]
    print(f"{OUTPUT.value}: {len(video)} frames ({report['seconds']:.2f} s) in {seconds:.1f} s")
    return report


HELP = app.Help(
    example="--portrait=vasa_jax/assets/portrait.jpg --audio=vasa_jax/assets/speech.flac --output=talking.mp4",
    groups={
        "what goes in and out": (PORTRAIT, AUDIO, OUTPUT, SIZE),
        "performance": (SEED, *CONDITIONS.told.values(), BLINKS, TRACK, POSE_FROM, DYNAMICS_FROM),
        "how strongly the motion obeys": tuple(CONDITIONS.scales.values()),
        "sampling": (STEPS, SAMPLER, HOP),
        "weights and networks": (CHECKPOINT, FACE_MODEL, SPEECH_MODEL),
        "marks of origin": (BADGE, CREDENTIALS, CONSENT, CERTIFICATE, KEY),
    },
)


def run() -> None:
    """Console script."""
    app.run(main, info=HELP)


if __name__ == "__main__":
    run()
