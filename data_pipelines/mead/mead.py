"""MEAD: where its videos lie, and the emotions they show.

Layout, as unpacked from the archives of https://wywu.github.io/projects/MEAD/MEAD.html (for each person video.tar and
audio.tar, packed in a folder M003 ... W040):

    FOLDER/M003/video/front/angry/level_1/001.mp4    1920x1080, seven cameras
    FOLDER/M003/audio/angry/level_1/001.m4a          the audio of all cameras

Relied upon: the project's README (https://github.com/uniBruce/Mead) for the folders of the persons, and many projects
that read the archives for what lies below. The emotion and its level, of three, are known for every video; neutral has
one level only.

Terms (with the archives): non-commercial research only.
"""

import pathlib
import re

from data_pipelines import emotions, layout
from data_pipelines.data_set import DataSet
from data_pipelines.prepare.source import Source

CAMERAS = ("front", "left_30", "right_30", "top", "down")
"""Those that see both eyes; left_60 and right_60 are left out."""
TEST_PEOPLE = frozenset({"M003", "M030", "W009", "W015"})
"""The publishers fix no split; those who evaluate on MEAD mostly keep these four back."""
_VALIDATION = 0.1  # of the others
_LEVELS = 3


def _find(folder: pathlib.Path) -> list[Source]:
    return [
        source
        for person in layout.folders(folder)
        if re.fullmatch(r"[MW]\d{3}", person.name)
        for camera in CAMERAS
        for emotion in layout.folders(person / "video" / camera)
        for level in layout.folders(emotion)
        for source in _of_level(person, camera, emotion.name, level)
    ]


def _of_level(person: pathlib.Path, camera: str, emotion: str, level: pathlib.Path) -> list[Source]:
    """The videos of one folder ``level_N``."""
    split = "test" if person.name in TEST_PEOPLE else layout.split_of(person.name, 0.0, _VALIDATION)
    number = re.fullmatch(r"level_([1-9])", level.name)
    label = emotions.from_label(emotion)
    intensity = 1.0 if label in (None, "neutral") or not number else min(int(number[1]) / _LEVELS, 1.0)
    sources = []
    for path in layout.videos(level):
        audio = person / "audio" / emotion / level.name / f"{path.stem}.m4a"
        sources.append(
            Source(
                path,
                f"{person.name}_{camera}_{emotion}_{level.name}_{path.stem}",
                person.name,
                split,
                audio=audio if audio.is_file() else None,
                emotion=label,
                intensity=intensity,
            )
        )
    return sources


DATA_SET = DataSet(
    name="mead",
    title="MEAD",
    find=_find,
    description=(
        "MEAD, actors who speak with eight emotions at three levels, from five of its seven cameras. The emotion "
        "coefficients are those acted: level n of 3 is n/3 of the emotion, the rest neutral. M003, M030, W009 and W015 "
        "test; of the others about one in ten validates, the rest train."
    ),
    fetch=(
        "Fetch video.tar and audio.tar of each person from https://wywu.github.io/projects/MEAD/MEAD.html and unpack "
        "both inside a folder named like the person."
    ),
    layout="M003/video/front/angry/level_1/001.mp4 and M003/audio/angry/level_1/001.m4a",
    size="60 people recorded (48 published), 8 emotions at 3 levels, 7 cameras, 1920x1080",
    license="non-commercial research only (terms of use of MEAD)",
    non_commercial=True,
    homepage="https://wywu.github.io/projects/MEAD/MEAD.html",
    citation="""\
@inproceedings{wang2020mead,
  author    = {Kaisiyuan Wang and Qianyi Wu and Linsen Song and Zhuoqian Yang and Wayne Wu and Chen Qian and Ran He and
               Yu Qiao and Chen Change Loy},
  title     = {{MEAD}: A Large-scale Audio-visual Dataset for Emotional Talking-face Generation},
  booktitle = {ECCV}, year = {2020}, doi = {10.1007/978-3-030-58589-1_42},
}""",
)
find_sources = DATA_SET.find_sources
