"""Whether the face of a photograph is found in any turn, and nothing where no face is.

Photographs come from a folder of folders, each a source. A photograph counts as found where a crop comes back whose top
is that of the image and whose face overlaps the tracker's box by at least half (intersection over union). Boxes are
those of an index.csv in the source's folder (columns file, size, face_x0 to face_y1, in pixels of an image of side
`size`); where no folder has one, only the turn is judged. A crop is made a face's box by the rectangle of the template
face in it, head on, which is what the crop rule says a face fills.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from experiments.evaluation import tables
from vasa_jax import landmarks
from vasa_jax.errors import InputError
from vasa_jax.images import read_image
from vasa_jax.inference import blaze_face, portrait

TURNS = (0, 1, 2, 3)
"""Quarter turns clockwise in which every photograph is shown."""
LEAST_OVERLAP = 0.5
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
DRAWN = ("texture", "sky", "text", "shapes")
_SIDE = 384
_LIGHTNESS = ("dark", "middle", "light")

Row = dict[str, Any]
Find = Callable[[np.ndarray], portrait.FaceBox]


def photographs(folder: str | Path, count: int, seed: int = 0) -> list[Row]:
    """`count` of them (0: all), the sources in turn: {"source", "path", "box": [x0, y0, x1, y1, size] or None}."""
    there = folders(folder)
    sources = [_source(path) for path in _listed(there) or there]
    rng = np.random.default_rng(seed)
    piles = [[rows[k] for k in rng.permutation(len(rows))] for rows in sources if rows]
    if not piles:
        raise InputError(f"{folder}: no photographs; give --data a folder of images, or of folders of images")
    wanted = min(count or np.inf, sum(map(len, piles)))
    chosen: list[Row] = []
    while len(chosen) < wanted:
        for pile in piles:
            if pile and len(chosen) < wanted:
                chosen.append(pile.pop())
    return chosen


def folders(folder: str | Path) -> list[Path]:
    """The folder itself and those in it."""
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"{folder} is no folder: give one of images, or of folders of images")
    return [root, *sorted(path for path in root.iterdir() if path.is_dir())]


def _listed(there: Sequence[Path]) -> list[Path]:
    """Those with an index: where there is one, images that no index names are something else."""
    return [path for path in there if (path / "index.csv").is_file()]


def _source(folder: Path) -> list[Row]:
    index = folder / "index.csv"
    if index.is_file():
        with index.open(encoding="utf-8") as file:
            return [_indexed(folder, row) for row in csv.DictReader(file) if (folder / row["file"]).is_file()]
    return [{"source": folder.name, "path": path, "box": None} for path in files_of(folder)]


def _indexed(folder: Path, row: Mapping[str, str]) -> Row:
    box = [float(row[name]) for name in ("face_x0", "face_y0", "face_x1", "face_y1", "size")]
    return {"source": folder.name, "path": folder / row["file"], "box": box}


def files_of(folder: str | Path) -> list[Path]:
    """The image files right in a folder, by name."""
    return sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES)


def drawn(count: int, seed: int = 0) -> Iterator[tuple[str, np.ndarray]]:
    """(name, RGB) of images without a face: textures, skies, text, shapes in turn."""
    rng = np.random.default_rng(seed)
    for k in range(count):
        kind = DRAWN[k % len(DRAWN)]
        yield f"{kind} {k // len(DRAWN)}", np.ascontiguousarray(_DRAWERS[kind](rng))


def _clouds(rng: np.random.Generator) -> np.ndarray:
    """Noise of several sizes, 0 to 1, one value a pixel."""
    field = np.zeros((_SIDE, _SIDE), np.float32)
    for cells in 2 ** np.arange(1, rng.integers(4, 8)):
        grain = rng.normal(size=(cells, cells)).astype(np.float32)
        field += cv2.resize(grain, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC) / cells ** rng.uniform(0.2, 1)
    return (field - field.min()) / np.ptp(field)


def _texture(rng: np.random.Generator) -> np.ndarray:
    field = _clouds(rng)
    if rng.random() < 0.5:
        field = 0.5 + 0.5 * np.sin(field * rng.uniform(10, 60))
    ends = rng.uniform(0, 255, (2, 3))
    return _bytes(ends[0] + field[..., None] * (ends[1] - ends[0]) + rng.normal(0, 8, (_SIDE, _SIDE, 3)))


def _sky(rng: np.random.Generator) -> np.ndarray:
    down = np.linspace(0, 1, _SIDE)[:, None, None]
    top, low = rng.uniform([10, 20, 60], [120, 170, 255]), rng.uniform([120, 90, 90], [255, 240, 255])
    cover = np.clip(_clouds(rng)[..., None] * rng.uniform(1, 3) - rng.uniform(0.3, 1), 0, 1)
    image = _bytes((top * (1 - down) + low * down) * (1 - cover) + 245 * cover)
    where = tuple(int(v) for v in rng.integers(0, _SIDE, 2))
    return cv2.circle(image, where, int(rng.integers(8, 70)), tuple(map(float, rng.integers(180, 256, 3))), -1)


def _text(rng: np.random.Generator) -> np.ndarray:
    paper = int(rng.integers(200, 256))
    image = np.full((_SIDE, _SIDE, 3), paper, np.uint8)
    size, y = rng.uniform(0.4, 2.5), 10
    while y < _SIDE:
        y += int(34 * size)
        words = " ".join("".join(rng.choice(list("abcdeghiklmnoOQ08@rstu"), rng.integers(2, 9))) for _ in range(9))
        font = int(rng.integers(0, 8))
        cv2.putText(image, words, (10, y), font, size, (int(rng.integers(0, 90)),) * 3, max(1, int(size * 2)))
    return image


def _shapes(rng: np.random.Generator) -> np.ndarray:
    image = np.full((_SIDE, _SIDE, 3), rng.integers(0, 256, 3), np.uint8)
    for _ in range(rng.integers(4, 30)):
        colour, at = tuple(map(int, rng.integers(0, 256, 3))), tuple(map(int, rng.integers(0, _SIDE, 2)))
        if rng.random() < 0.5:
            axes = tuple(map(int, rng.integers(5, 120, 2)))
            cv2.ellipse(image, at, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
        else:
            cv2.rectangle(image, at, tuple(map(int, rng.integers(0, _SIDE, 2))), colour, -1)
    return image


def _bytes(image: np.ndarray) -> np.ndarray:
    return np.clip(image, 0, 255).astype(np.uint8)


_DRAWERS = {"texture": _texture, "sky": _sky, "text": _text, "shapes": _shapes}


def face_rectangle(box: portrait.FaceBox) -> np.ndarray:
    """[x0, y0, x1, y1] in the image that hold the template face of a crop."""
    points = landmarks.template()[landmarks.SLICES["oval"], :2]
    right, down = portrait.axes(box.tilt)
    there = [box.x, box.y] + box.half * (points[:, :1] * right + points[:, 1:] * down)
    return np.concatenate([there.min(0), there.max(0)])


def turned_box(box: np.ndarray, shape: Sequence[int], turn: int) -> np.ndarray:
    """[x0, y0, x1, y1] of an image of that shape, after it was turned clockwise by `turn` quarters."""
    height, width = shape[:2]
    for _ in range(turn):
        x0, y0, x1, y1 = box
        box = np.asarray([height - y1, x0, height - y0, x1])
        height, width = width, height
    return np.asarray(box, float)


def judge(photograph: Row, find: Find) -> list[Row]:
    """A row for each turn: outcome found, wrong (a crop of something else) or none, and the overlap."""
    image = read_image(photograph["path"])
    box = None
    if photograph["box"] is not None:
        *corners, size = photograph["box"]
        box = np.asarray(corners) * max(image.shape[:2]) / size
    lightness = float(np.median(cv2.cvtColor(_inner(image, box), cv2.COLOR_RGB2LAB)[..., 0])) / 2.55
    rows = []
    for turn in TURNS:
        row = {"source": photograph["source"], "file": Path(photograph["path"]).name, "turn": 90 * turn}
        row |= {"lightness": lightness, "overlap": np.nan}
        try:
            face = find(np.ascontiguousarray(np.rot90(image, -turn)))
        except InputError as error:
            rows.append(row | {"outcome": "none", "said": str(error)})
            continue
        right = round(face.tilt / 90) % 4 == turn
        if box is not None:
            its = turned_box(box, image.shape, turn)
            row["overlap"] = float(blaze_face.overlap(its, face_rectangle(face)[None])[0])
            right = right and row["overlap"] >= LEAST_OVERLAP
        rows.append(row | {"outcome": "found" if right else "wrong"})
    return rows


def _inner(image: np.ndarray, box: np.ndarray | None) -> np.ndarray:
    """The middle half of the face, or of the image."""
    x0, y0, x1, y1 = box if box is not None else (0, 0, *image.shape[1::-1])
    x, y, w, h = (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 4, (y1 - y0) / 4
    return image[max(0, round(y - h)) : round(y + h), max(0, round(x - w)) : round(x + w)]


def without_faces(named: Iterable[tuple[str, str, np.ndarray]], find: Find) -> list[Row]:
    """A row for each (kind, name, image): whether a face was taken, and where."""
    rows = []
    for kind, name, image in named:
        try:
            face = find(image)
            rows.append({"kind": kind, "file": name, "taken": True, "x": face.x, "y": face.y, "half": face.half})
        except InputError:
            rows.append({"kind": kind, "file": name, "taken": False})
    return rows


def summary(rows: Sequence[Row], others: Sequence[Row]) -> dict[str, Any]:
    """Counts and shares by source, turn and lightness of the face; what was missed, by name."""
    edges = np.quantile([row["lightness"] for row in rows], [1 / 3, 2 / 3])
    thirds = [_LIGHTNESS[int(np.searchsorted(edges, row["lightness"]))] for row in rows]
    kinds = sorted({row["kind"] for row in others})
    return {
        "all": _counts(rows),
        "by_source": _groups(rows, [row["source"] for row in rows]),
        "by_turn": _groups(rows, [f"{row['turn']} degrees" for row in rows]),
        "by_lightness_of_the_face": _groups(rows, thirds),
        "not_found": [{key: row.get(key) for key in ("source", "file", "turn", "outcome", "overlap", "said")}
                      for row in rows if row["outcome"] != "found"],
        "without_faces": {kind: _taken([row for row in others if row["kind"] == kind]) for kind in kinds}
        | {"all": _taken(others)},
        "taken": [row for row in others if row["taken"]],
    }  # fmt: skip


def _groups(rows: Sequence[Row], names: Sequence[str]) -> dict[str, Any]:
    return {
        name: _counts([row for row, its in zip(rows, names, strict=True) if its == name])
        for name in dict.fromkeys(sorted(names))
    }


def _counts(rows: Sequence[Row]) -> dict[str, Any]:
    outcomes = [row["outcome"] for row in rows]
    overlaps = np.asarray([row["overlap"] for row in rows if row["outcome"] == "found"])
    overlaps = overlaps[np.isfinite(overlaps)] if np.isfinite(overlaps).any() else np.asarray([np.nan])
    return {
        "photographs": len({(row["source"], row["file"]) for row in rows}),
        "looks": len(rows),
        "found": outcomes.count("found"),
        "share": outcomes.count("found") / max(1, len(rows)),
        "wrong": outcomes.count("wrong"),
        "none": outcomes.count("none"),
        "overlap_median": np.median(overlaps),
        "overlap_least": overlaps.min(),
    }


def _taken(rows: Sequence[Row]) -> dict[str, int]:
    return {"pictures": len(rows), "taken": sum(row["taken"] for row in rows)}


def show(report: Mapping[str, Any]) -> None:
    """Prints the tables."""
    columns = ("", "looks", "found", "share", "wrong", "none", "overlap", "least")
    for title in ("all", "by_source", "by_turn", "by_lightness_of_the_face"):
        groups = {"all": report["all"]} if title == "all" else report[title]
        tables.show(title.replace("_", " "), columns, [_line(name, counts) for name, counts in groups.items()])
    lines = [(name, str(row["pictures"]), str(row["taken"])) for name, row in report["without_faces"].items()]
    tables.show("without a face", ("", "pictures", "taken"), lines)


def _line(name: str, counts: Mapping[str, Any]) -> list[str]:
    numbers = [tables.cell(counts[key]) for key in ("overlap_median", "overlap_least")]
    return [name, *(str(counts[key]) for key in ("looks", "found")), f"{counts['share']:.1%}",
            *(str(counts[key]) for key in ("wrong", "none")), *numbers]  # fmt: skip
