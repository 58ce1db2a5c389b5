"""What of a recipe is done, and what it was made from: WORKDIR/recipe.json, rewritten after every part."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

from experiments.recipes.planning import Job, changes, digest
from experiments.recipes.reading import FOLDERS
from vasa_jax import files
from vasa_jax.errors import InputError

NAME = "recipe.json"


@dataclasses.dataclass
class Entry:
    """One part. `seconds` are of all starts, `metrics` of its end."""

    numbers: dict[str, Any]
    digest: str
    done: bool = False
    seconds: float = 0.0
    steps: int = 0
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)


class Record:
    """The parts of a workdir that were begun."""

    def __init__(self, workdir: Path):
        self.path = workdir / NAME
        self.parts: dict[str, Entry] = {}
        if self.path.is_file():
            try:
                rows = json.loads(self.path.read_text(encoding="utf-8"))["parts"]
                self.parts = {name: Entry(**row) for name, row in rows.items()}
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise InputError(f"{self.path} cannot be read ({error}); choose another --workdir") from error

    def save(self) -> None:
        files.write_json(self.path, {"parts": {name: dataclasses.asdict(one) for name, one in self.parts.items()}})

    def check(self, jobs: list[Job], redo: bool) -> list[str]:
        """Names the parts whose numbers have changed since they were begun, and says how.

        With `redo` they are forgotten, and what they made is deleted.

        Raises:
          InputError: there are some, and nobody asked for them to be made again.
        """
        digests: dict[str, str] = {}
        said = []
        for job in jobs:
            name = job.part.name
            digests[name] = digest(job, digests)
            entry = self.parts.get(name)
            if entry is None or not job.runs:
                continue
            if entry.digest != digests[name]:
                what = changes(entry.numbers, _plain(job.numbers))
                rest = f" and {len(what) - 3} more" if what[3:] else ""
                said.append(f"{name}: {'; '.join(what[:3]) + rest if what else 'what goes into it has changed'}")
                if redo:
                    self._forget(job)
        if said and not redo:
            raise InputError(
                f"{self.path.parent} was made with other numbers: {', '.join(said)}; choose another --workdir, or make "
                "these parts again with --redo, which deletes what they made"
            )
        return said

    def _forget(self, job: Job) -> None:
        del self.parts[job.part.name]
        self.save()
        for place in {self.path.parent / job.part.name, job.product} - {self.path.parent}:
            if place.name not in FOLDERS and place.is_relative_to(self.path.parent):
                shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)

    def done(self, job: Job) -> bool:
        entry = self.parts.get(job.part.name)
        return entry is not None and entry.done and job.product.exists()

    def begin(self, job: Job, jobs: list[Job]) -> Entry:
        digests: dict[str, str] = {}
        for one in jobs:
            digests[one.part.name] = digest(one, digests)
        name = job.part.name
        entry = self.parts.setdefault(name, Entry(_plain(job.numbers), digests[name]))
        entry.done = False
        self.save()
        return entry


def _plain(numbers: dict[str, Any]) -> dict[str, Any]:
    """As JSON gives it back: tuples are lists there."""
    return json.loads(json.dumps(numbers))
