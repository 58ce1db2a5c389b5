"""Portraits: folders of photographs or paintings, each with notes on where they come from and on what ground.

    FOLDER/london_set/SOURCES.md               whose they are, and the licence; without it a set is refused
    FOLDER/london_set/001_03_neutral.jpg       one person ...
    FOLDER/london_set/001_08_smiling.jpg       ... twice: a clip of two frames
    FOLDER/mine/SOURCES.md, mine/anna.jpg

FOLDER may be one set, too. `--name=portraits` takes every set in it, `--name=portraits_london_set` that one alone, so
that each can be switched off and weighted in the training mixture.

A person is the file's name, without `_neutral` or `_smiling` at its end and what stands between; or what the column
`person` of an index.csv beside SOURCES.md says of the file. Splits go by person: `held_out.tsv` is "test", a few drawn
by name are "validation". docs/datasets.md says where to fetch the six sets that this project's own weights learn from.
"""

import collections
import csv
import dataclasses
import functools
import importlib.resources
import pathlib
import re
from collections.abc import Iterator

from data_pipelines import layout
from data_pipelines.data_set import DataSet
from data_pipelines.prepare.source import Source
from vasa_jax.errors import InputError, UsageError

NOTES, INDEX = "SOURCES.md", "index.csv"
SETS = ("sfhq_t2i", "us_congress", "faker_portraits", "london_set", "art_portraits", "congress_historic")
"""The sets that docs/datasets.md describes."""
VALIDATION_SHARE = 0.03
_NO_PORTRAITS = frozenset({"valid3d"})  # its images are textures of rigged heads, and may lie beside the sets
_EXPRESSION = re.compile(r"^([^_]+)_(?:.*_)?(?:neutral|smiling)$")


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """A portrait that is kept for the end, and what is seen in it.

    Attributes:
      set, file: where it lies.
      age: child, adult or old, as it looks.
      skin: light, medium or dark, as it looks; none for statues.
    """

    set: str
    file: str
    age: str
    skin: str


@functools.cache
def held_out() -> tuple[HeldOut, ...]:
    """The portraits of the split "test": a fixed list, so that every model is asked about the same people."""
    text = importlib.resources.files("data_pipelines.portraits").joinpath("held_out.tsv").read_text(encoding="utf-8")
    return tuple(HeldOut(*line.split("\t")) for line in text.splitlines() if line and not line.startswith("#"))


def _find(folder: pathlib.Path, wanted: str | None = None) -> list[Source]:
    sources = []
    for place in _sets(folder):
        if wanted in (None, place.name):
            sources += _of_set(place)
    if not sources:
        what = "no photograph found" if wanted is None else f"no set {wanted} of photographs found"
        raise DATA_SET.missing(folder, what)
    return sources


def _sets(folder: pathlib.Path) -> list[pathlib.Path]:
    if (folder / NOTES).is_file():
        return [pathlib.Path(folder.resolve())]  # named, even if it was given as "."
    found = []
    for place in layout.folders(folder):
        if place.name in _NO_PORTRAITS:
            continue
        if (place / NOTES).is_file():
            found.append(place)
        elif any(layout.is_image(path) for path in layout.entries(place)):
            raise InputError(
                f"{place}: photographs without {NOTES}; write into that file where they are from and on what ground "
                "they may be used, or move the folder elsewhere"
            )
    return found


def _of_set(folder: pathlib.Path) -> Iterator[Source]:
    images = list(layout.walk_images(folder))
    index = _people(folder / INDEX)
    people: dict[str, list[pathlib.Path]] = collections.defaultdict(list)
    for path in images:
        name = path.relative_to(folder).as_posix()
        people[index.get(name) or person_of(name)].append(path)
    test = {person_of(entry.file) for entry in held_out() if entry.set == folder.name}
    for person, paths in sorted(people.items()):
        name = layout.safe_name(f"{folder.name}_{person}")
        split = "test" if person in test else layout.split_of(name, 0.0, VALIDATION_SHARE)
        yield Source(paths[0], name, name, split, further=tuple(paths[1:]))


def person_of(name: str) -> str:
    """Who is seen in a file of a set: "001_03_neutral.jpg" -> "001", "female/3.png" -> "female_3"."""
    stem = str(pathlib.PurePosixPath(name).with_suffix("")).replace("/", "_")
    twice = _EXPRESSION.match(stem)
    return twice.group(1) if twice else stem


def _people(path: pathlib.Path) -> dict[str, str]:
    """File -> person, as an index says it; empty where it does not."""
    if not path.is_file():
        return {}
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if not rows.fieldnames or "file" not in rows.fieldnames:
                raise InputError(f"{path}: no column named file; mend its first line, or delete it")
            return {row["file"]: row.get("person") or "" for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read ({error}); mend or delete it") from error


DATA_SET = DataSet(
    name="portraits",
    title="portraits",
    find=_find,
    description=(
        "Photographs, paintings and statues, one clip a person, of one frame for each image and without audio. Split "
        "by person: test is a fixed list, about one person in thirty is validation."
    ),
    fetch="Fetch the sets that docs/datasets.md lists, such as https://github.com/faker-js/assets-person-portrait, or "
    "gather your own.",
    layout=f"SET/{NOTES} (where the images are from, and their licence) and SET/PERSON.jpg",
    size="The six sets of docs/datasets.md: about 2,600 people",
    license="each set its own, see its SOURCES.md: MIT, CC0, public domain, CC BY 4.0 (London Set; name DeBruine and "
    "Jones 2017)",
    non_commercial=False,
    homepage="https://doi.org/10.6084/m9.figshare.5047666",
    citation="""\
@misc{debruine2017london,
  author = {Lisa DeBruine and Benedict Jones},
  title  = {Face Research Lab London Set (Version 5)},
  year   = {2017}, doi = {10.6084/m9.figshare.5047666.v5},
}""",
)
find_sources = DATA_SET.find_sources


def only(name: str) -> DataSet:
    """One set of photographs as a data set of its own, named portraits_NAME.

    Raises:
      UsageError: the name is not fit for one.
    """
    full = f"{DATA_SET.name}_{name}"
    if not full.isidentifier() or full != full.lower():
        raise UsageError(f"--name={full}: a set is a folder named with small letters, digits and _; rename it")
    return dataclasses.replace(DATA_SET, name=full, find=functools.partial(_find, wanted=name))
