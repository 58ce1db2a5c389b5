"""How far codes must go for the lids of photographs to close: measured in images, kept in the release.

    python -m experiments.lid_reach --checkpoint=RELEASE --portraits=FACES --face_model=face_landmarker.task

A face model closes the eyes of the people it was trained on; those of others it may leave half open with the same code.
Each portrait is painted with its lids ever further along the direction of `vasa_jax.inference.blinks`, a face tracker
reads how far they are closed, and the least closure in the code beyond which the portraits close no further becomes the
release's `motion_stats["reach"]`, which every blink is made with. Without it a release has 1. The release is written in
place; --nowrite only tells.
"""

import contextlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from jaxtyping import Float

from experiments.common import app
from vasa_jax.errors import InputError, UsageError
from vasa_jax.metrics import blinks

LEVELS = tuple(np.arange(0.75, 3.01, 0.25))
"""Closures in the code that are tried, above 0 as `blinks.Lids.reach` is; what lies beyond tears faces."""
SHUT = 0.75
"""Closure in an image that is taken for shut."""
GAIN = 0.02
"""Mean closure below the best at which a level is as good: some faces open again when the code goes on."""
FEWEST = 4  # portraits that the tracker must follow


def define_flags() -> None:
    """Here and not at import, so that this can be imported beside other commands."""
    flags.DEFINE_string("checkpoint", None, "Folder of the release, or 'bundled'.")
    flags.DEFINE_string("portraits", None, "Folder of photographs of faces; of published sets the held-out ones.")
    flags.DEFINE_string("face_model", None, "MediaPipe face landmarker (.task), which reads the images.")
    flags.DEFINE_integer("count", 24, "Portraits, evenly.", lower_bound=FEWEST)
    flags.DEFINE_bool("write", True, "Keep the number in the release.")


def reach_of(levels: Sequence[float], closures: Float[np.ndarray, "portraits k"]) -> float:
    """The least level at which the portraits are as shut as at any; what lies beyond SHUT counts for nothing.

    Levels that the tracker could not read are NaN and count for nothing either.
    """
    shut = np.nanmean(np.minimum(closures, SHUT), 0)
    return float(levels[int(np.flatnonzero(shut >= shut.max() - GAIN)[0])])


def find(painted: Callable[[Any, Sequence[float]], Any], reader: Any, portraits: Iterable[Any]) -> dict[str, Any]:
    """The reach of a face model, and what it was found from.

    Args:
      painted: (portrait, levels) -> images [k, s, s, 3] with lids closed by as much in the code.
      reader: `experiments.evaluation.reading.TrackReader`.
      portraits: things that `painted` knows.

    Raises:
      InputError: too few faces could be read.
    """
    rows, mouths = [], []
    for portrait in portraits:
        reading = reader.read(np.asarray(painted(portrait, (0.0, *LEVELS))))
        if reading.valid[0] and reading.valid[1:].sum() > len(LEVELS) // 2:
            closure = np.where(reading.valid, np.asarray(reading.lids).mean(-1), np.nan)
            rows.append(closure)
            mouths.append(np.where(reading.valid, np.abs(reading.mouth - reading.mouth[0]), np.nan))
    if len(rows) < FEWEST:
        raise InputError(
            f"the tracker follows {len(rows)} of the portraits; {FEWEST} are needed: give more photographs"
        )
    reach = reach_of(LEVELS, np.asarray(rows)[:, 1:])
    seen = {level: np.asarray(rows)[:, 1 + LEVELS.index(level)] >= blinks.CLOSED for level in (1.0, reach)}
    return {
        "reach": reach,
        "portraits": len(rows),
        "blinks_with_reach_1": float(np.mean(seen[1.0])),
        "blinks": float(np.mean(seen[reach])),
        "levels": [0.0, *map(float, LEVELS)],
        "closure": np.nanmean(rows, 0),
        "mouth_moved": np.nanmean(mouths, 0),
    }


def keep(directory: str | Path, reach: float) -> None:
    """Writes it into a release with a motion model, and its manifest anew."""
    from vasa_jax import files, weights

    release = weights.load_release(directory)
    path = release.directory / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    if config.get("motion_stats") is None:
        raise UsageError(f"{directory} has no motion model, whose statistics hold the reach; add one with vasa-export")
    config["motion_stats"]["reach"] = reach
    files.write_json(path, config)
    weights.write_manifest(release.directory)


def main() -> dict[str, Any]:
    """Measures, tells, writes."""
    wanted = flags.FLAGS
    for name in ("checkpoint", "portraits", "face_model"):
        if not getattr(wanted, name):
            raise UsageError(f"--{name} is missing; --help tells what it is")
    app.compile_cache()
    import tqdm

    from experiments.evaluation import reading, stills, tables
    from vasa_jax import TalkingFace

    face = TalkingFace.load(wanted.checkpoint)
    if face.lids is None:
        raise UsageError(f"{wanted.checkpoint} has no motion model, or its face model does not tell the lids")
    found = stills.find_stills(wanted.portraits, wanted.count)
    with contextlib.closing(reading.TrackReader(wanted.face_model)) as reader:
        result = find(lambda still, levels: paint(face, still.path, levels), reader, tqdm.tqdm(found, unit="portrait"))
    for level, closure, moved in zip(result["levels"], result["closure"], result["mouth_moved"], strict=True):
        print(f"  {level:.2f} in the code: closed by {closure:.2f} in images, mouth moved by {moved:.3f}")
    print(
        f"reach {result['reach']}: {result['blinks']:.0%} of {result['portraits']} portraits are seen to blink", end=""
    )
    print(f", {result['blinks_with_reach_1']:.0%} with 1")
    if wanted.write:
        keep(wanted.checkpoint, result["reach"])
    return tables.plain({"model": wanted.checkpoint, "shut_at": SHUT, **result})


def paint(face: Any, path: Path, levels: Sequence[float]) -> Any:
    """The portrait as it is but for its lids, closed by each level in the code; [k, s, s, 3]."""
    from vasa_jax import images
    from vasa_jax.inference import portrait

    renderer, image = face.renderer, images.read_image(path)
    box = portrait.find_face(image, name=str(path), pose_of=renderer.pose, resolution=renderer.size)
    latents = renderer.encode(portrait.cut(image, box, renderer.size))
    size = renderer.size * (2 if renderer.moves_source else 1)
    large = portrait.cut_with_margin(image, box, size)
    pose, code = np.asarray(latents.pose)[0], np.asarray(latents.dynamics)[0]
    rest = float(face.lids.read(code))
    moves = [
        np.concatenate([pose, code + max(level - rest, 0.0) * face.lids.direction * (level > 0)]) for level in levels
    ]
    return np.stack(list(renderer.frames(latents, [move.astype(np.float32) for move in moves], large, size)))


HELP = app.Help(example="--checkpoint=runs/release --portraits=faces --face_model=face_landmarker.task")

if __name__ == "__main__":
    define_flags()
    app.run(main, info=HELP)
