"""HDTF: where its videos lie, and what its lists say of them.

Only lists are published; the videos are fetched from YouTube. Layout:

    FOLDER/HDTF_dataset/RD_video_url.txt        NAME URL
    FOLDER/HDTF_dataset/RD_annotion_time.txt    NAME.mp4 00:30-01:00 01:30-02:30 ...
    FOLDER/HDTF_dataset/RD_crop_wh.txt          NAME_CLIP.mp4 left width top height, in pixels ...
    FOLDER/HDTF_dataset/RD_resolution.txt       NAME.mp4 720     ... of an image this high; 0 is not known

and the same with WDA and WRA. The videos may lie anywhere below FOLDER: whole, as NAME.mp4 or RD_NAME.mp4 (so the
publishers' download.py names them), or else as clips cut by the lists, NAME_0.mp4 or RD_NAME_000.mp4. Relied upon:
README.md, download.py and the lists of https://github.com/MRzzm/HDTF.

As published, download.py fetches images without audio: fetch the videos with audio (for instance yt-dlp -f "bv*+ba").

Licence of the lists: CC BY 4.0. The videos stay their makers' own.
"""

import dataclasses
import logging
import pathlib
import re
from typing import Any
from urllib import parse

from data_pipelines import layout
from data_pipelines.data_set import DataSet
from data_pipelines.prepare.source import Source
from vasa_jax.errors import InputError

PARTS = ("RD", "WDA", "WRA")
_LISTS = "HDTF_dataset"


@dataclasses.dataclass(frozen=True)
class _Part:
    """The lists of one part, each as {name without .mp4: the other fields}."""

    name: str
    folder: pathlib.Path
    times: dict[str, list[str]]
    crops: dict[str, list[str]]
    heights: dict[str, list[str]]

    @classmethod
    def read(cls, name: str, folder: pathlib.Path) -> "_Part":
        rows = (layout.table(folder / f"{name}_{what}.txt") for what in ("annotion_time", "crop_wh", "resolution"))
        return cls(name, folder, *({row[0].removesuffix(".mp4"): row[1:] for row in table} for table in rows))

    def stretches(self, video: str, path: pathlib.Path) -> list[dict[str, Any]]:
        """What the lists say of a whole video, as fields of `Source`."""
        found = []
        try:
            height = int(self.heights.get(video, ["0"])[0])
            for index, stretch in enumerate(self.times.get(video, [])):
                start, end = map(_seconds, stretch.split("-"))
                crop = [int(field) for field in self.crops.get(f"{video}_{index}", [])]
                box = _box(layout.header(path), crop, height) if crop else None
                if end > start:
                    name = f"{self.name}_{video}_{index}"
                    found.append({"path": path, "name": name, "start": start, "end": end, "box": box})
        except (ValueError, IndexError):
            what = f"{self.name}_annotion_time.txt, {self.name}_crop_wh.txt or {self.name}_resolution.txt"
            raise InputError(f"{self.folder}: what {what} says of {video} cannot be read; fetch it again") from None
        return found


def _find(folder: pathlib.Path) -> list[Source]:
    """The clips of the lists whose video is there; how many videos are not is logged."""
    files = {path.stem: path for path in layout.walk_videos(folder)}
    sources, absent, listed = [], 0, 0
    for name in PARTS:
        urls = folder / _LISTS / f"{name}_video_url.txt"
        if not urls.is_file():
            raise DATA_SET.missing(folder, f"no {urls.relative_to(folder)}")
        part = _Part.read(name, urls.parent)
        for video, speaker in _speakers(urls).items():
            whole = files.get(f"{name}_{video}") or files.get(video)
            found = part.stretches(video, whole) if whole else _cut(files, name, video)
            split = "train" if name == "RD" else layout.split_of(speaker)
            sources += [Source(**fields, speaker=speaker, split=split) for fields in found]
            absent, listed = absent + (not found), listed + 1
    if absent:
        logging.warning("%s: %d of %d videos of the lists are not here", folder, absent, listed)
    return sources


def _speakers(urls: pathlib.Path) -> dict[str, str]:
    """Video -> who speaks: its name without a number, and one name for all who share a recording.

    RD videos are numbered only, so there each is its own speaker; all of them train, which keeps the splits apart.
    """
    own: dict[str, str] = {}
    first: dict[str, str] = {}  # recording -> whose it is said to be, first
    alias: dict[str, str] = {}
    for video, *url in layout.table(urls):
        own[video] = video if video.startswith("Radio") else re.sub(r"\d+$", "", video)
        key = parse.parse_qs(parse.urlparse(url[0]).query).get("v", url)[0] if url else video
        if (other := first.setdefault(key, own[video])) != own[video]:
            alias[own[video]] = other
    return {video: alias.get(speaker, speaker) for video, speaker in own.items()}


def _seconds(clock: str) -> float:
    """Seconds of "01:30" or "1:01:30"."""
    total = 0.0
    for part in clock.split(":"):
        total = 60 * total + float(part)
    return total


def _box(header: layout.Header | None, crop: list[int], height: int) -> tuple[float, float, float, float] | None:
    """A crop (left, width, top, height) in pixels of an image `height` high, as shares of the file's image."""
    if header is None or not height:
        return None
    left, across, top, down = crop
    width = header.width * height / header.height
    return left / width, top / height, min((left + across) / width, 1.0), min((top + down) / height, 1.0)


def _cut(files: dict[str, pathlib.Path], part: str, video: str) -> list[dict[str, Any]]:
    """The clips already cut out of a video, as fields of `Source`."""
    pattern = re.compile(rf"(?:{part}_)?({re.escape(video)}_\d+)")
    named = {f"{part}_{found[1]}": path for stem, path in files.items() if (found := pattern.fullmatch(stem))}
    return [{"path": path, "name": name} for name, path in sorted(named.items())]


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
        "their audio (its own download.py fetches none), each named NAME.mp4 as in those lists."
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
