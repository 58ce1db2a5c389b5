"""TalkingHead-1KH: where its videos lie, and what its lists say of them.

Only lists are published; the videos are fetched from YouTube. Layout, that of the publishers' scripts:

    FOLDER/data_list/train_video_tubes.txt       a talking head a line: CHUNK,H,W,S,E,L,T,R,B
    FOLDER/train/1min_clips/VIDEO_0000.mp4       CHUNK, one minute of the video
    FOLDER/train/cropped_clips/VIDEO_0000_S1_E728_L671_T47_R1471_B847.mp4      used where 1min_clips is not there

and the same with val, the publishers' evaluation set, and small, a taste of train that is used only without train. S
and E are the first and last frame of the chunk, L, T, R, B a box in an image of W x H pixels. Relied upon: README.md,
videos_split.sh, videos_crop.py of https://github.com/tcwang0509/TalkingHead-1KH.

As published, videos_download.py fetches images without audio and videos_crop.py drops what audio there is: fetch
VIDEO.mp4 with audio (for instance yt-dlp -f "bv*+ba"), then run videos_split.sh. Clips without audio are dropped.

Licence: the videos CC BY 3.0, each by its maker; lists and scripts MIT.
"""

import logging
import pathlib
import re

from data_pipelines import layout
from data_pipelines.data_set import DataSet
from data_pipelines.prepare.source import Source
from vasa_jax.errors import InputError

_PARTS = {"train": "train", "val": "validation"}
_TASTE = {"small": "train"}


def _find(folder: pathlib.Path) -> list[Source]:
    parts = _PARTS if (folder / "train").is_dir() else _TASTE | _PARTS
    sources = []
    for part, split in parts.items():
        if (folder / part / "1min_clips").is_dir():
            sources += _tubes(folder, part, split)
        else:
            sources += [
                Source(path, layout.safe_name(path.stem), _video(path.stem), split)
                for path in layout.videos(folder / part / "cropped_clips")
            ]
    return sources


def _tubes(folder: pathlib.Path, part: str, split: str) -> list[Source]:
    """The heads of the list whose chunk is there; how many are not is logged."""
    path = folder / "data_list" / f"{part}_video_tubes.txt"
    if not path.is_file():
        raise DATA_SET.missing(folder, f"no {path.relative_to(folder)}")
    chunks = {file.stem: file for file in layout.videos(folder / part / "1min_clips")}
    sources, absent = [], 0
    for number, fields in enumerate(layout.table(path, ","), 1):
        try:
            chunk, (height, width, *numbers) = fields[0], map(int, fields[1:])
            first, last, left, top, right, bottom = numbers
            box = (left / width, top / height, right / width, bottom / height)
        except (ValueError, ZeroDivisionError):
            raise InputError(f"{path}: entry {number} is not CHUNK,H,W,S,E,L,T,R,B; fetch the list again") from None
        if chunk not in chunks:
            absent += 1
            continue
        start, end = _seconds(chunks[chunk], first, last)
        name = layout.safe_name(f"{chunk}_S{first}_E{last}_L{left}_T{top}_R{right}_B{bottom}")
        sources.append(Source(chunks[chunk], name, _video(chunk), split, start, end, box))
    if absent:
        logging.warning("%s: %d of %d heads of %s are not here", folder, absent, absent + len(sources), part)
    return sources


def _seconds(path: pathlib.Path, first: int, last: int) -> tuple[float, float | None]:
    """From when to when the frames first..last are on show; of a file that cannot be read, all of it."""
    header = layout.header(path)
    return (first / header.rate, (last + 1) / header.rate) if header else (0.0, None)


def _video(chunk: str) -> str:
    """ "--Y9imYnfBw" of "--Y9imYnfBw_0003", and of the name of a cropped clip."""
    return re.sub(r"_\d{4}(_S\d+_E\d+_L\d+_T\d+_R\d+_B\d+)?$", "", chunk)


DATA_SET = DataSet(
    name="talkinghead_1kh",
    title="TalkingHead-1KH",
    find=_find,
    description=(
        "TalkingHead-1KH, heads that talk in freely licensed videos. Who they are is not published, so the speaker is "
        "the video; the publishers' train part is train, their val part is validation."
    ),
    fetch=(
        "Unpack data_list.zip of https://github.com/tcwang0509/TalkingHead-1KH, fetch the videos of "
        "data_list/train_video_ids.txt with their audio into train/raw_videos (its own script fetches none), and run "
        "videos_split.sh train/raw_videos train/1min_clips; the same for val."
    ),
    layout="data_list/train_video_tubes.txt and train/1min_clips/VIDEO_0000.mp4",
    size="500,000 clips, 80,000 of them larger than 512x512, about 1,000 h; some videos have left YouTube",
    license="the videos CC BY 3.0 (name their makers), lists and scripts MIT",
    non_commercial=False,
    homepage="https://github.com/tcwang0509/TalkingHead-1KH",
    citation="""\
@inproceedings{wang2021facevid2vid,
  author    = {Ting-Chun Wang and Arun Mallya and Ming-Yu Liu},
  title     = {One-Shot Free-View Neural Talking-Head Synthesis for Video Conferencing},
  booktitle = {CVPR}, year = {2021},
}""",
)
find_sources = DATA_SET.find_sources
