"""A folder, or a list, of anybody's own videos.

The speaker is the first sub-folder, or, for a file that lies in no sub-folder, the file:

    FOLDER/alice/monday/1.mp4      speaker alice
    FOLDER/bob.mov                 speaker bob

Splits go by speaker. Either the folder says so, when all its sub-folders are named train, validation or test (then the
speakers lie in those); or the speaker's name draws it: about one in ten tests, one in ten validates. Of fewer than ten
people all train.

A list is a text file, one video a line, with up to three fields parted by tabs: path (below the list's folder, or
absolute), speaker, split. Lines that begin with # are skipped.
"""

import collections
import dataclasses
import pathlib
from collections.abc import Iterator

from data_pipelines import layout
from data_pipelines.data_set import DataSet
from data_pipelines.prepare.source import Source
from vasa_jax.errors import InputError

SPLITS = ("train", "validation", "test")
TEST_SHARE = VALIDATION_SHARE = 0.1
FEWEST_TO_SPLIT = 10
"""With fewer people than this nobody is kept back."""

_Video = tuple[pathlib.Path, str, str, str | None]  # path, its name below the folder, speaker, split if it is said


def _find(folder: pathlib.Path) -> list[Source]:
    found = list(_listed(folder) if folder.is_file() else _videos(folder))
    speakers = {speaker for _, _, speaker, _ in found}
    shares = (TEST_SHARE, VALIDATION_SHARE) if len(speakers) >= FEWEST_TO_SPLIT else (0.0, 0.0)
    names = collections.Counter(layout.safe_name(_stem(name)) for _, name, _, _ in found)
    sources = []
    for path, name, speaker, split in found:
        clip = layout.safe_name(_stem(name))
        if names[clip] > 1:  # 1.mp4 beside 1.mov, or a_b/c.mp4 beside a/b_c.mp4: the whole path tells them apart
            clip = layout.safe_name(f"{clip}:{name}")
        sources.append(Source(path, clip, speaker, split or layout.split_of(speaker, *shares)))
    _check_splits(sources)
    return sources


def _stem(name: str) -> str:
    return str(pathlib.PurePosixPath(name).with_suffix("")).replace("/", "_")


def _videos(folder: pathlib.Path) -> Iterator[_Video]:
    places = layout.folders(folder)
    if places and not layout.videos(folder) and all(place.name in SPLITS for place in places):
        for place in places:
            yield from _of_speakers(place, place.name)
    else:
        yield from _of_speakers(folder, None)


def _of_speakers(folder: pathlib.Path, split: str | None) -> Iterator[_Video]:
    for path in layout.walk_videos(folder):
        below = path.relative_to(folder)
        speaker = below.parts[0] if len(below.parts) > 1 else below.stem
        yield path, below.as_posix(), speaker, split


def _listed(path: pathlib.Path) -> Iterator[_Video]:
    for number, fields in enumerate(layout.table(path, "\t"), 1):
        if fields[0].startswith("#"):
            continue
        video = path.parent / fields[0]
        if len(fields) > 3 or not video.is_file():
            what = "more than path, speaker and split" if len(fields) > 3 else f"{fields[0]} is no file"
            raise InputError(f"{path}: entry {number}: {what}; mend or remove the line")
        speaker = fields[1] if len(fields) > 1 and fields[1] else video.stem
        yield video, fields[0], speaker, fields[2] if len(fields) > 2 and fields[2] else None


def _check_splits(sources: list[Source]) -> None:
    splits: dict[str, str] = {}
    for source in sources:
        if splits.setdefault(source.speaker, source.split) != source.split:
            raise InputError(
                f"{source.path}: {source.speaker} is in {source.split} and in {splits[source.speaker]}; "
                "keep each person in one split, or name different people differently"
            )


DATA_SET = DataSet(
    name="prepared_folder",
    title="a folder of your own",
    find=_find,
    description="Videos of the user's own, split by speaker.",
    fetch="Put your videos there.",
    layout="SPEAKER/CLIP.mp4 or CLIP.mp4 (also mov, mkv, webm, avi, mpg), at any depth; or give a text file that lists "
    "videos",
    size="Whatever you have",
    license="as the recordings'; those who are seen must have agreed",
    non_commercial=False,
    homepage="",
    takes_list=True,
)
find_sources = DATA_SET.find_sources


def named(name: str) -> DataSet:
    """A folder of one's own as a data set of that name."""
    return dataclasses.replace(DATA_SET, name=name)
