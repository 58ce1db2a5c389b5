"""Does a video carry this project's marks, and are they intact?"""

import dataclasses
from typing import Any

from vasa_jax import media
from vasa_jax.paths import PathLike, check_file
from vasa_jax.provenance import credentials


@dataclasses.dataclass(frozen=True)
class Verdict:
    """`marked`: this project's mark is there; `intact`: and nothing was changed since; `text`: for people."""

    marked: bool
    intact: bool
    trusted: bool
    text: str
    signer: str | None = None
    generation: dict[str, Any] | None = None
    problems: tuple[str, ...] = ()

    def report(self) -> dict[str, Any]:
        """The verdict as JSON."""
        return dataclasses.asdict(self)


def verify(path: PathLike) -> Verdict:
    """Checks a video. Raises InputError where it cannot be read as one."""
    path = check_file(path, "a video file")
    media.VideoReader(path)  # is it a video at all
    try:
        found = credentials.read(path)
    except credentials.NoCredentials:
        return Verdict(False, False, False, f"{path}: no mark (no content credentials)")
    if found.generation is None and found.intact:
        text = f"{path}: no mark of vasa_jax (its content credentials were signed by {found.signer})"
        return Verdict(False, False, False, text, found.signer)
    if not found.intact:
        reasons = ", ".join(found.problems) or found.state
        text = f"{path}: marked, but BROKEN: the file was changed after it was signed ({reasons})"
        return Verdict(found.generation is not None, False, False, text, found.signer, found.generation, found.problems)
    trusted = found.state == "Trusted"
    whose = "this installation" if trusted else f"{found.signer}, which this installation does not know"
    text = f"{path}: made by vasa_jax, marks intact; signed by {whose}"
    return Verdict(True, True, trusted, text, found.signer, found.generation)
