"""Videos beside each other as one moving image for a page: the README's first image.

    python -m experiments.moving_picture --rows=demo/talking.mp4,demo/photo.mp4,demo/painting.mp4 \
        --output=docs/images/talking.webp

Several --rows stand below each other. Only frames of finished videos are shown, so that the badge is in the image.
"""

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from jaxtyping import UInt8
from PIL import Image

from experiments.common import app
from vasa_jax import files, paths
from vasa_jax.errors import UsageError

RATE = 12.5
"""Pictures a second: every second frame; enough to see lips move, half the bytes."""
MOST_BYTES = 3_000_000
_QUALITIES = (80, 70, 60, 50, 40, 30)


def define_flags() -> None:
    """Here and not at import, so that this can be imported beside other commands."""
    flags.DEFINE_multi_string("rows", None, "Videos that stand in one row, parted by commas; again for the next row.")
    flags.DEFINE_string("output", None, "The .webp to write.")
    flags.DEFINE_integer("side", 256, "Pixels of a face's side.", lower_bound=32)
    flags.DEFINE_float("seconds", 4.0, "At most so much of the videos.", lower_bound=0.1)


def main() -> dict[str, Any]:
    """The moving image with the flags of the command line."""
    wanted = flags.FLAGS
    if not wanted.rows or not wanted.output:
        raise UsageError("give --rows=ONE.mp4,OTHER.mp4 and --output=PICTURE.webp")
    output = paths.check_output(wanted.output, (".webp",))
    rows = [[paths.check_file(name, "a video") for name in row.split(",")] for row in wanted.rows]
    images = beside(rows, wanted.side, wanted.seconds)
    quality = write(output, images)
    size = output.stat().st_size
    print(f"{output}: {len(images)} images, quality {quality}, {size / 1e6:.2f} MB")
    return {"command": ["experiments.moving_picture", *sys.argv[1:]], "bytes": size, "quality": quality}


def beside(rows: Sequence[Sequence[Path]], side: int, seconds: float) -> UInt8[np.ndarray, "t h w 3"]:
    """The videos' frames in a grid, every second one, as long as the shortest lasts."""
    shown = [[_frames(path, side, seconds) for path in row] for row in rows]
    count = min(len(frames) for row in shown for frames in row)
    if len({len(row) for row in shown}) > 1:
        raise UsageError("every --rows needs as many videos as the first")
    return np.concatenate([np.concatenate([frames[:count] for frames in row], 2) for row in shown], 1)


def _frames(path: Path, side: int, seconds: float) -> UInt8[np.ndarray, "t s s 3"]:
    from vasa_jax import media

    frames = itertools.islice(media.VideoReader(path).frames(count=round(2 * RATE * seconds)), 0, None, 2)
    sized = [np.asarray(Image.fromarray(f).resize((side, side), Image.Resampling.LANCZOS)) for f in frames]
    return np.stack(sized)


def write(output: Path, images: UInt8[np.ndarray, "t h w 3"]) -> int:
    """Writes an animated WebP at the best quality that stays within MOST_BYTES; returns the quality."""
    frames = [Image.fromarray(image) for image in images]
    for quality in _QUALITIES:
        with files.replacing(output) as temporary:
            form = {"format": "WEBP", "save_all": True, "loop": 0, "method": 6}
            frames[0].save(temporary, **form, append_images=frames[1:], duration=round(1000 / RATE), quality=quality)
        if output.stat().st_size <= MOST_BYTES:
            return quality
    raise UsageError(f"{output} is larger than {MOST_BYTES / 1e6:.0f} MB at any quality; lower --side or --seconds")


def run() -> None:
    """Of `python -m experiments.moving_picture`."""
    define_flags()
    app.run(main)


if __name__ == "__main__":
    run()
