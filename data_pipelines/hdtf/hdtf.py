"""HDTF: where its videos lie, and what its lists say of them.

Only lists are published; the videos are fetched from YouTube. Layout:

    FOLDER/HDTF_dataset/RD_video_url.txt        NAME URL
    FOLDER/HDTF_dataset/RD_annotion_time.txt    NAME.mp4 00:30-01:00 01:30-02:30 ...
    FOLDER/HDTF_dataset/RD_crop_wh.txt          NAME_CLIP.mp4 left width top height, in pixels ...
    FOLDER/HDTF_dataset/RD_resolution.txt       NAME.mp4 720     ... of a picture this high; 0 is not known

and the same with WDA and WRA. The videos may lie anywhere below FOLDER: whole, as NAME.mp4 or RD_NAME.mp4 (so the
publishers' download.py names them), or else as clips cut by the lists, NAME_0.mp4 or RD_NAME_000.mp4. Relied upon:
README.md, download.py and the lists of https://github.com/MRzzm/HDTF.

As published, download.py fetches pictures without sound: fetch the videos with sound (for instance yt-dlp -f "bv*+ba").

Licence of the lists: CC BY 4.0. The videos stay their makers' own.
"""

import logging
import pathlib
import re
from urllib import parse

from data_pipelines import layout
from data_pipelines.data_set import DataSet
from data_pipelines.prepare.source import Source
from vasa_jax.errors import InputError

PARTS = ("RD", "WDA", "WRA")
_LISTS = "HDTF_dataset"


def _find(folder: pathlib.Path) -> list[Source]:
    """The clips of the lists whose video is there; how many videos are not is logged."""
    files = {path.stem: path for path in layout.walk_videos(folder)}
    sources, absent, listed = [], 0, 0
    for part in PARTS:
        lists = folder / _LISTS / f"{part}_video_url.txt"
        if not lists.is_file():
            raise DATA_SET.missing(folder, f"no {lists.relative_to(folder)}")
        times, crops, heights = (_read(folder, part, what) for what in ("annotion_time", "crop_wh", "resolution"))
        for name, speaker in _speakers(lists).items():
            split = "train" if part == "RD" else layout.split_of(speaker)
            whole = files.get(f"{part}_{name}") or files.get(name)
            if whole:
                height = int((heights.get(name) or ["0"])[0])
                found = _stretches(folder, part, name, whole, times.get(name, []), crops, height)
            else:
                found = [(path, f"{part}_{clip}", 0.0, None, None) for clip, path in _cut(files, part, name)]
            sources += [Source(path, clip, speaker, split, *place) for path, clip, *place in found]
            absent, listed = absent + (not found), listed + 1
    if absent:
        logging.warning("%s: %d of %d videos of the lists are not here", folder, absent, listed)
    return sources


def _read(folder: pathlib.Path, part: str, what: str) -> dict[str, list[str]]:
    """A list as {name without .mp4: the other fields}."""
    rows = layout.table(folder / _LISTS / f"{part}_{what}.txt")
    return {row[0].removesuffix(".mp4"): row[1:] for row in rows}


def _speakers(lists: pathlib.Path) -> dict[str, str]:
    """Video -> who speaks: its name without a number, and one name for all who share a recording.

    RD videos are numbered only, so there each is its own speaker; all of them train, which keeps the splits apart.
    """
    speakers, first = {}, {}
    for name, *url in layout.table(lists):
        speaker = name if name.startswith("Radio") else re.sub(r"\d+$", "", name)
        key = parse.parse_qs(parse.urlparse(url[0]).query).get("v", [url[0]])[0] if url else name
        first.setdefault(key, speaker)
        speakers[name] = speaker, first[key]
    alias = {own: other for own, other in speakers.values() if own != other}
    return {name: alias.get(own, own) for name, (own, _) in speakers.items()}


def _stretches(
    folder: pathlib.Path,
    part: str,
    name: str,
    path: pathlib.Path,
    times: list[str],
    crops: dict[str, list[str]],
    height: int,
) -> list[tuple]:
    """(path, clip, start, end, box) of every stretch of a whole video."""
    found = []
    for index, stretch in enumerate(times):
        try:
            start, end = map(_seconds, stretch.split("-"))
            crop = list(map(int, crops.get(f"{name}_{index}", [])))
            box = _box(layout.header(path), crop, height) if crop else None
        except ValueError:
            where = folder / _LISTS / f"{part}_annotion_time.txt or {part}_crop_wh.txt"
            raise InputError(f"{where}: what it says of {name} cannot be read; fetch the lists again") from None
        if end > start:
            found.append((path, f"{part}_{name}_{index}", start, end, box))
    return found


def _seconds(clock: str) -> float:
    """Seconds of "01:30" or "1:01:30"."""
    total = 0.0
    for part in clock.split(":"):
        total = 60 * total + float(part)
    return total


def _box(header: layout.Header | None, crop: list[int], height: int) -> tuple[float, float, float, float] | None:
    """A crop (left, width, top, height) in pixels of a picture `height` high, as shares of the file's picture."""
    if header is None or not height:
        return None
    left, across, top, down = crop
    width = header.width * height / header.height
    return left / width, top / height, min((left + across) / width, 1.0), min((top + down) / height, 1.0)


def _cut(files: dict[str, pathlib.Path], part: str, name: str) -> list[tuple[str, pathlib.Path]]:
    """(NAME_INDEX, path) of the clips already cut out of a video."""
    pattern = re.compile(rf"(?:{part}_)?({re.escape(name)}_\d+)")
    return sorted((found[1], path) for stem, path in files.items() if (found := pattern.fullmatch(stem)))


DATA_SET = DataSet(
    name="hdtf",
    title="HDTF",
    find=_find,
    description=(
        "HDTF, addresses of politicians. Split by speaker: the part RD, which does not name them, is train; of the "
        "others about 90 % are train, 5 % validation, 5 % test."
    ),
    fetch=(
        "Fetch the folder HDTF_dataset of https://github.com/MRzzm/HDTF, and the videos of its *_video_url.txt with "
        "their sound (its own download.py fetches none), each named NAME.mp4 as in those lists."
    ),
    layout="HDTF_dataset/RD_video_url.txt (with the other lists, and WDA and WRA) and videos/NAME.mp4",
    size="over 300 people, about 362 videos, 15.8 h, 720p and 1080p; some videos have left YouTube",
    license="lists CC BY 4.0; the videos stay their makers' own",
    non_commercial=False,
    homepage="https://github.com/MRzzm/HDTF",
    citation="""\
@inproceedings{zhang2021hdtf,
  author    = {Zhimeng Zhang and Lincheng Li and Yu Ding and Changjie Fan},
  title     = {Flow-Guided One-Shot Talking Face Generation With a High-Resolution Audio-Visual Dataset},
  booktitle = {CVPR}, pages = {3661--3670}, year = {2021},
}""",
)
find_sources = DATA_SET.find_sources
