"""Writes a release, which the other commands read, from training workdirs; or a release as StableHLO or ONNX."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from experiments.common import app
from vasa_jax.errors import InputError, UsageError

if TYPE_CHECKING:
    from vasa_jax.training.trained import Trained

FACE = flags.DEFINE_list(
    "face", None, "Workdir of the face model, or a release to take it from; of several, the mean of their parameters."
)
MOTION = flags.DEFINE_string("motion", None, "Workdir of the motion model, or a release to take it from (optional).")
POSE = flags.DEFINE_string(
    "pose", None, "Workdir of a pose encoder trained alone, or a release to take it from (optional)."
)
POSE_SHARE = flags.DEFINE_string(
    "pose_share", None, "Latents of procedural heads by this face model: what the pose tells of the code is taken out."
)
BLINK = flags.DEFINE_string(
    "blink", None, "Latents of real people by this face model: how their codes go as lids close and lips move is kept."
)
LEAD = flags.DEFINE_string(
    "lead",
    None,
    "Such latents: gaze and expressions are written where they leave room, and a generator is to learn it.",
)
OUTPUT = flags.DEFINE_string("output", None, "Folder of the release.")
CARD = flags.DEFINE_string("model_card", None, "Markdown file copied to MODEL_CARD.md (one already there is kept).")
FLOAT32 = flags.DEFINE_bool("float32", False, "Store float32; otherwise float16, which halves the size.")
STABLEHLO = flags.DEFINE_bool("stablehlo", False, "Write --checkpoint as StableHLO with a loader that needs jax alone.")
ONNX = flags.DEFINE_bool("onnx", False, "Write --checkpoint as ONNX, one row at a time. Needs the extra 'onnx'.")
CHECKPOINT = flags.DEFINE_string("checkpoint", None, "With --stablehlo or --onnx: the release, a folder or 'bundled'.")
STEPS = flags.DEFINE_integer("steps", 10, "With --stablehlo or --onnx: denoising steps of a window.", lower_bound=1)
INT8 = flags.DEFINE_bool("int8", False, "Store the face model's matrices as int8: a quarter of float32's size.")


def _run_of(source: dict[str, Any]) -> dict[str, Any] | None:
    """What a release says of the run that a model came from."""
    return source["run"] if "release" in source else {name: source[name] for name in ("step", "commit", "versions")}


def mean_of(parts: "list[Trained]") -> "tuple[Trained, Any]":
    """The last part with the mean of all parts' parameters: of runs that start one from another (Wortsman et al. 2022);
    and their runs.

    Raises:
      UsageError: they are not of one form.
    """
    import jax
    import numpy as np

    forms = [jax.tree.map(np.shape, part.params) for part in parts]
    if any(form != forms[0] for form in forms):
        raise UsageError("--face: models of different forms have no mean; give runs that start one from another")
    mean = jax.tree.map(lambda *leaves: np.mean(leaves, 0, np.float32), *(part.params for part in parts))
    runs = [_run_of(part.source) for part in parts]
    return dataclasses.replace(parts[-1], params=mean), runs[0] if len(parts) == 1 else {"mean_of": runs}


def write_parts() -> dict[str, Any]:
    """The report of `--stablehlo` or `--onnx`."""
    flag = "--onnx" if ONNX.value else "--stablehlo"
    if ONNX.value and STABLEHLO.value:
        raise UsageError("--stablehlo and --onnx do not go together; give one, and each its own folder")
    if not CHECKPOINT.value or not OUTPUT.value or FACE.value or MOTION.value:
        raise UsageError(f"{flag} takes --checkpoint=RELEASE and --output=FOLDER, and no workdirs")
    from vasa_jax import weights
    from vasa_jax.inference import onnx_files, stablehlo

    release = weights.load_release(CHECKPOINT.value)
    if Path(OUTPUT.value).resolve() == release.directory.resolve():
        raise UsageError(f"--output={OUTPUT.value} is the release itself: give another folder")
    write = onnx_files.write if ONNX.value else stablehlo.write
    return told(Path(OUTPUT.value), write(release, OUTPUT.value, steps=STEPS.value))


def told(directory: Path, sizes: dict[str, int]) -> dict[str, Any]:
    """The report of what was written, and printed."""
    for name, size in sizes.items():
        print(f"{directory / name}  {size / 2**20:.2f} MiB")
    return {"directory": str(directory), "bytes": sizes, "total": sum(sizes.values())}


def main() -> dict[str, Any]:
    if STABLEHLO.value or ONNX.value:
        return write_parts()
    if CHECKPOINT.value:
        raise UsageError("--checkpoint goes with --stablehlo or --onnx; a release is taken by --face and --motion")
    if not FACE.value or not OUTPUT.value:
        raise UsageError("--face and --output are needed; --motion adds the motion model")
    if FLOAT32.value and INT8.value:
        raise UsageError("--float32 and --int8 do not go together; give one")
    from experiments.common import pose_share, real_codes
    from vasa_jax import weights
    from vasa_jax.training.trained import open_trained

    face, face_run = mean_of([open_trained(path, "face") for path in FACE.value])
    motion = open_trained(MOTION.value, "motion") if MOTION.value else None
    pose = open_trained(POSE.value, "pose") if POSE.value else None
    stats = motion and motion.stats
    if POSE_SHARE.value:
        found = pose_share.fit(POSE_SHARE.value)
        config, params = pose_share.into(face.config, face.params, found)
        face = dataclasses.replace(face, config=config, params=params)
        print(f"{found.explained:.1%} of the code's variance was the pose's ({found.frames:,} frames)")
    if BLINK.value:
        if stats is None:
            raise UsageError("--blink goes with --motion, whose statistics hold it")
        found = real_codes.told(BLINK.value, face.params["label_head"], stats["std"][7:])
        stats = dict(stats) | found
    if LEAD.value:
        if stats is None:
            raise UsageError("--lead goes with --motion, whose statistics hold it")
        found, params = real_codes.led(LEAD.value, face.params, stats["std"][7:])
        stats, face = dict(stats) | found, dataclasses.replace(face, params=params)
    if stats and FACE.value != [MOTION.value]:
        of_another_face = ("reach", "mouth_reach")
        stats = {name: value for name, value in stats.items() if name not in of_another_face}
    card = None
    if CARD.value:
        try:
            card = Path(CARD.value).read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"--model_card={CARD.value} cannot be read ({error.strerror})") from error
    directory = weights.save_release(
        OUTPUT.value,
        face_config=face.config,
        face_params=face.params,
        motion_config=motion and motion.config,
        motion_params=motion and motion.params,
        motion_stats=stats,
        pose_config=pose and pose.config,
        pose_params=pose and pose.params,
        info={"face_run": face_run, "motion_run": motion and _run_of(motion.source)}
        | ({"pose_run": _run_of(pose.source)} if pose else {}),
        model_card=card,
        stored="float32" if FLOAT32.value else "int8" if INT8.value else "float16",
    )
    sizes = {path.name: path.stat().st_size for path in sorted(directory.iterdir()) if path.is_file()}
    return told(directory, sizes)


HELP = app.Help(
    example="--face=runs/tiny/face --motion=runs/tiny/motion --output=runs/tiny/release",
    groups={
        "what goes in": (FACE, MOTION, POSE, POSE_SHARE, BLINK, LEAD),
        "the release": (OUTPUT, CARD, FLOAT32, INT8),
        "for other programs": (STABLEHLO, ONNX, CHECKPOINT, STEPS),
    },
)


def run() -> None:
    app.run(main, info=HELP)


if __name__ == "__main__":
    run()
