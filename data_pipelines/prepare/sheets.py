"""Contact sheets: one image a speaker, a row a clip, with the labels drawn in, because numbers hide what eyes see.

Photographs come by the folder instead of the person, a tile each.

Green dots are the landmarks, the yellow line is the gaze, the grey square the model's image.
"""

import collections
import pathlib
from collections.abc import Mapping

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from data_pipelines import layout, schema
from data_pipelines.prepare.results import Results
from vasa_jax import files, landmarks

ROWS, COLUMNS, TILE = 12, 8, 112
_LABEL = 16  # pixels for a clip's name above its row
_POINT, _GAZE, _FRAME = (120, 230, 120), (255, 210, 60), (128, 128, 128)


def write(folder: pathlib.Path, found: Results) -> list[pathlib.Path]:
    """Writes FOLDER/SPEAKER.jpg for every speaker, or FOLDER/SET.jpg of photographs; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    by_name = collections.defaultdict(list)
    for source, clip_id, _ in found.kept():
        name = source.path.parent.name if layout.is_image(source.path) else source.speaker
        by_name[name].append((source, clip_id))
    paths = []
    for name, clips in sorted(by_name.items()):
        photographs = layout.is_image(clips[0][0].path)
        examples = [
            next(e for e in found.produce(source).examples if e["clip_id"] == clip_id)
            for source, clip_id in evenly(clips, ROWS * COLUMNS if photographs else ROWS)
        ]
        rows = _tiled(examples) if photographs else [row(example) for example in examples]
        path = folder / f"{name}.jpg"
        with files.replacing(path) as temporary:
            Image.fromarray(np.concatenate(rows)).save(temporary, "JPEG", quality=88)
        paths.append(path)
    return paths


def evenly(items: list, count: int) -> list:
    """At most `count` of the items, spread over all of them."""
    if not items:
        return []
    at = np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int))
    return [items[k] for k in at]


def row(example: Mapping) -> UInt8[np.ndarray, "h w 3"]:
    """COLUMNS images of a clip side by side, under its name and length."""
    frames = example["frames"]
    at = ((np.arange(COLUMNS) + 0.5) * len(frames) / COLUMNS).astype(int)
    tiles = [tile(example, int(k)) for k in at]
    strip = Image.new("RGB", (COLUMNS * TILE, _LABEL), (24, 24, 26))
    text = f"{example['clip_id']}   {len(frames) / schema.FRAME_RATE:.1f} s"
    ImageDraw.Draw(strip).text((4, 2), text, fill=(235, 233, 228))
    return np.concatenate([np.asarray(strip), np.concatenate(tiles, axis=1)])


def _tiled(examples: list[Mapping]) -> list[UInt8[np.ndarray, "h w 3"]]:
    """The first images of clips, COLUMNS a row; black where there are no more."""
    tiles = [tile(example, 0) for example in examples]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    return [np.concatenate(tiles[k : k + COLUMNS], axis=1) for k in range(0, len(tiles), COLUMNS)]


def tile(example: Mapping, k: int, size: int = TILE) -> UInt8[np.ndarray, "s s 3"]:
    """Frame k of a clip with its labels drawn in; dots are left out where the face was not found."""
    image = cv2.resize(schema.decode_jpeg(example["frames"][k]), (size, size), interpolation=cv2.INTER_AREA)
    middle, unit = size / 2, size / (2 * schema.MARGIN)

    def place(point: np.ndarray) -> tuple[int, int]:
        return tuple(int(v) for v in np.clip(np.round(middle + unit * point[:2]), -size, 2 * size))

    corner = np.asarray([1.0, 1.0])
    cv2.rectangle(image, place(-corner), place(corner), _FRAME, 1)
    if not example["valid"][k]:
        return image
    points = example["landmarks"][k]
    for point in points:
        x, y = place(point)
        if 0 <= x < size and 0 <= y < size:
            image[y, x] = _POINT
    irises = points[landmarks.SLICES["irises"]]
    ray = schema.gaze_direction(example["gaze"][k])[:2]
    for iris in irises:
        cv2.line(image, place(iris), place(iris[:2] + 0.5 * ray), _GAZE, 1, cv2.LINE_AA)
    return image
