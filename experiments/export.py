"""Writes a release, which the other commands read, from training workdirs; or a release as StableHLO."""

from pathlib import Path
from typing import Any

from absl import flags

from experiments import app
from vasa_jax.errors import InputError, UsageError

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
    "blink", None, "Latents of real people by this face model: how their codes go as lids close is kept, for blinks."
)
OUTPUT = flags.DEFINE_string("output", None, "Folder of the release.")
CARD = flags.DEFINE_string("model_card", None, "Markdown file copied to MODEL_CARD.md (one already there is kept).")
FLOAT32 = flags.DEFINE_bool("float32", False, "Store float32; otherwise float16, which halves the size.")
STABLEHLO = flags.DEFINE_bool("stablehlo", False, "Write --checkpoint as StableHLO with a loader that needs jax alone.")
CHECKPOINT = flags.DEFINE_string("checkpoint", None, "With --stablehlo: the release, a folder or 'bundled'.")
STEPS = flags.DEFINE_integer("steps", 10, "With --stablehlo: denoising steps of a window of motion.", lower_bound=1)
INT8 = flags.DEFINE_bool("int8", False, "Store the face model's matrices as int8: a quarter of float32's size.")


def _is_release(path: str) -> bool:
    from vasa_jax import weights

    return path == weights.BUNDLED or (Path(path) / "config.json").is_file()


def read_part(path: str, task: str) -> dict[str, Any]:
    """{"config", "params", "stats", "source"} of one model from a workdir's averaged parameters or from a release."""
    from vasa_jax import weights
    from vasa_jax.training import checkpoint

    if _is_release(path):
        release = weights.load_release(path)
        config, params = {
            "face": (release.face_config, release.face_params),
            "motion": (release.motion_config, release.motion_params),
            "pose": (release.pose_config, release.pose_params),
        }[task]
        if params is None:
            raise InputError(f"{path} holds no {task} model; name another release or workdir")
        return {
            "config": config,
            "params": params,
            "stats": release.motion_stats,
            "source": release.info.get(task + "_run"),
        }
    manifest = checkpoint.read_manifest(Path(path))
    if manifest.get("task") != task:
        raise UsageError(f"--{task}={path} is a run of task {manifest.get('task')!r}; name a {task} workdir")
    step, ema = checkpoint.read_ema(Path(path))
    return {
        "config": manifest["config"]["model"],
        "params": ema[manifest["players"][0]],
        "stats": manifest.get("motion_stats"),
        "source": {"step": step, "commit": manifest.get("commit"), "versions": manifest.get("versions")},
    }


def mean_of(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The last part with the mean of all parts' parameters: of runs that start one from another (Wortsman et al. 2022).

    Raises:
      UsageError: they are not of one form.
    """
    import jax
    import numpy as np

    forms = [jax.tree.map(np.shape, part["params"]) for part in parts]
    if any(form != forms[0] for form in forms):
        raise UsageError("--face: models of different forms have no mean; give runs that start one from another")
    mean = jax.tree.map(lambda *leaves: np.mean(leaves, 0, np.float32), *(part["params"] for part in parts))
    sources = [part["source"] for part in parts]
    return {**parts[-1], "params": mean, "source": sources[0] if len(parts) == 1 else {"mean_of": sources}}


def write_stablehlo() -> dict[str, Any]:
    """The report of `--stablehlo`."""
    if not CHECKPOINT.value or not OUTPUT.value or FACE.value or MOTION.value:
        raise UsageError("--stablehlo takes --checkpoint=RELEASE and --output=FOLDER, and no workdirs")
    from vasa_jax import weights
    from vasa_jax.inference import stablehlo

    release = weights.load_release(CHECKPOINT.value)
    if Path(OUTPUT.value).resolve() == release.directory.resolve():
        raise UsageError(f"--output={OUTPUT.value} is the release itself: give another folder")
    return told(Path(OUTPUT.value), stablehlo.write(release, OUTPUT.value, steps=STEPS.value))


def told(directory: Path, sizes: dict[str, int]) -> dict[str, Any]:
    """The report of what was written, and printed."""
    for name, size in sizes.items():
        print(f"{directory / name}  {size / 2**20:.2f} MiB")
    return {"directory": str(directory), "bytes": sizes, "total": sum(sizes.values())}


def main() -> dict[str, Any]:
    if STABLEHLO.value:
        return write_stablehlo()
    if CHECKPOINT.value:
        raise UsageError("--checkpoint goes with --stablehlo; a release is taken by --face and --motion")
    if not FACE.value or not OUTPUT.value:
        raise UsageError("--face and --output are needed; --motion adds the motion model")
    if FLOAT32.value and INT8.value:
        raise UsageError("--float32 and --int8 do not go together; give one")
    from experiments import blink_course, pose_share
    from vasa_jax import weights

    face = mean_of([read_part(path, "face") for path in FACE.value])
    motion = read_part(MOTION.value, "motion") if MOTION.value else None
    pose = read_part(POSE.value, "pose") if POSE.value else None
    if POSE_SHARE.value:
        found = pose_share.fit(POSE_SHARE.value)
        face["config"], face["params"] = pose_share.into(face["config"], face["params"], found)
        print(f"{found.explained:.1%} of the code's variance was the pose's ({found.frames:,} frames)")
    if BLINK.value:
        if motion is None or motion["stats"] is None:
            raise UsageError("--blink goes with --motion, whose statistics hold it")
        course = blink_course.fit(BLINK.value, face["params"]["label_head"])
        motion["stats"] = dict(motion["stats"]) | {"blink": course}
    card = None
    if CARD.value:
        try:
            card = Path(CARD.value).read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"--model_card={CARD.value} cannot be read ({error.strerror})") from error
    directory = weights.save_release(
        OUTPUT.value,
        face_config=face["config"],
        face_params=face["params"],
        motion_config=motion and motion["config"],
        motion_params=motion and motion["params"],
        motion_stats=motion and motion["stats"],
        pose_config=pose and pose["config"],
        pose_params=pose and pose["params"],
        info={"face_run": face["source"], "motion_run": motion and motion["source"]}
        | ({"pose_run": pose["source"]} if pose else {}),
        model_card=card,
        stored="float32" if FLOAT32.value else "int8" if INT8.value else "float16",
    )
    sizes = {path.name: path.stat().st_size for path in sorted(directory.iterdir()) if path.is_file()}
    return told(directory, sizes)


HELP = app.Help(
    example="--face=runs/tiny/face --motion=runs/tiny/motion --output=runs/tiny/release",
    groups={
        "what goes in": (FACE, MOTION, POSE, POSE_SHARE, BLINK),
        "the release": (OUTPUT, CARD, FLOAT32, INT8),
        "for other programs": (STABLEHLO, CHECKPOINT, STEPS),
    },
)


def run() -> None:
    app.run(main, info=HELP)


if __name__ == "__main__":
    run()
