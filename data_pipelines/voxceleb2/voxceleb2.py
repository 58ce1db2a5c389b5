"""VoxCeleb2: where its videos lie.

Layout, as unpacked from the published archives (vox2_dev_mp4_parta*, vox2_test_mp4.zip, and the same with aac):

    FOLDER/dev/mp4/id00012/21Uxsk56VDQ/00001.mp4     224x224 about the face, 25 fps
    FOLDER/dev/aac/id00012/21Uxsk56VDQ/00001.m4a     its audio
    FOLDER/test/mp4/..., FOLDER/test/aac/...         the test archives begin with mp4/ and aac/: unpack them into test/

The audio of the aac archives is used where it is there, else that of the mp4. The txt archives (face boxes in the
original videos) are of no use here: the mp4 are cropped already. Relied upon: the projects that read these archives;
the official page https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox2.html no longer offers the videos themselves.

Licence: the distributors stated CC BY 4.0, one of them "for research purposes", with the copyright of the videos left
to those who made them. The first publisher has withdrawn the videos, and those shown were not asked: take it for
non-commercial research, and mind the privacy laws where you are.
"""

import pathlib

from data_pipelines import layout
from data_pipelines.data_set import DataSet
from data_pipelines.prepare.source import Source

_VALIDATION = 0.02  # of the people of dev: about as many as test has


def _find(folder: pathlib.Path) -> list[Source]:
    """All ``PART/mp4/PERSON/VIDEO/NUMBER.mp4``; the publishers' parts share no person, and no split does."""
    sources = []
    for part in ("dev", "test"):
        for person in layout.folders(folder / part / "mp4"):
            split = "test" if part == "test" else layout.split_of(person.name, 0.0, _VALIDATION)
            for video in layout.folders(person):
                audio = folder / part / "aac" / person.name / video.name
                sounds = {path.stem: path for path in layout.entries(audio)} if audio.is_dir() else {}
                for path in layout.videos(video):
                    name = f"{person.name}_{video.name}_{path.stem}"
                    sources.append(Source(path, name, person.name, split, audio=sounds.get(path.stem)))
    return sources


DATA_SET = DataSet(
    name="voxceleb2",
    title="VoxCeleb2",
    find=_find,
    description="VoxCeleb2, interviews of celebrities. The publishers' test part is test; of the people of their "
    "dev part about 2 % are validation, the rest train.",
    fetch=(
        "The videos are no longer on https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox2.html; with a copy from your "
        "institution unpack vox2_dev_mp4 and vox2_dev_aac as they are, vox2_test_mp4 and vox2_test_aac into test/."
    ),
    layout="dev/mp4/id00012/VIDEO/00001.mp4 and dev/aac/id00012/VIDEO/00001.m4a, and the same below test/",
    size="6,112 people (5,994 dev, 118 test), 1.13 million clips, 2,400 h, 224x224, 276 GB and 80 GB of audio",
    license=(
        "non-commercial research, to be safe: stated as CC BY 4.0, by one distributor for research purposes only, "
        "while the copyright of the videos stays with their makers"
    ),
    non_commercial=True,
    homepage="https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox2.html",
    citation="""\
@inproceedings{chung2018voxceleb2,
  author    = {Joon Son Chung and Arsha Nagrani and Andrew Zisserman},
  title     = {{VoxCeleb2}: Deep Speaker Recognition},
  booktitle = {Interspeech},
  pages     = {1086--1090}, year = {2018}, doi = {10.21437/Interspeech.2018-1929},
}""",
)
find_sources = DATA_SET.find_sources
