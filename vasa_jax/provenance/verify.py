"""Does a video carry this project's marks, and are they intact?"""

import dataclasses
from pathlib import Path
from typing import Any

from vasa_jax import media
from vasa_jax.paths import PathLike, check_file
from vasa_jax.provenance import credentials, keys, watermark


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What was found.

    Attributes:
      marked: one of this project's marks is there.
      intact: its content credentials are, and nothing was changed since they were signed.
      trusted: and this installation signed them, or one that it knows.
      text: for people.
      watermark: what the detector says of the image itself.
    """

    marked: bool
    intact: bool
    trusted: bool
    text: str
    watermark: watermark.Found
    signer: str | None = None
    generation: dict[str, Any] | None = None
    problems: tuple[str, ...] = ()

    @property
    def ours(self) -> bool:
        """Made by this project for all that can be told: credentials intact, or watermark found."""
        return self.intact or self.watermark.found

    def report(self) -> dict[str, Any]:
        """The verdict as JSON."""
        signed: dict[str, Any] = {"found": self.generation is not None, "intact": self.intact, "trusted": self.trusted}
        signed |= {"signer": self.signer, "problems": list(self.problems)}
        return dataclasses.asdict(self) | {"credentials": signed}


def verify(path: PathLike) -> Verdict:
    """Checks a video. Raises InputError where it cannot be read as one."""
    path = check_file(path, "a video file")
    reader = media.VideoReader(path)  # is it a video at all
    signed = _signed(path)
    found = watermark.find(reader)
    marked = signed["marked"] or found.found
    text = f"{signed['text']}; {_told(found)}" if marked else f"no mark ({signed['text']}, no watermark)"
    return Verdict(**(signed | {"marked": marked, "text": f"{path}: {text}", "watermark": found}))


def _signed(path: Path) -> dict[str, Any]:
    """Fields of the verdict that the content credentials give."""
    none = {"marked": False, "intact": False, "trusted": False}
    try:
        found = credentials.read(path) if _is_mp4(path) else None
    except credentials.NoCredentials:
        found = None
    if found is None:
        return none | {"text": "no content credentials"}
    if found.generation is None and found.intact:
        text = f"content credentials of {found.signer}, not of vasa_jax"
        return none | {"text": text, "signer": found.signer}
    rest = {"signer": found.signer, "generation": found.generation}
    if not found.intact:
        reasons = ", ".join(found.problems) or found.state
        text = f"content credentials BROKEN: the file was changed after it was signed ({reasons})"
        return none | rest | {"marked": found.generation is not None, "text": text, "problems": found.problems}
    trusted = found.state == "Trusted"
    whose = "this installation" if trusted else f"{found.signer}, which this installation does not know"
    text = f"made by vasa_jax, content credentials intact; signed by {whose}"
    return rest | {"marked": True, "intact": True, "trusted": trusted, "text": text}


def _is_mp4(path: Path) -> bool:
    """Of the family of files that this project signs."""
    with path.open("rb") as file:
        return file.read(8)[4:] in (b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide")


def _told(found: watermark.Found) -> str:
    if not found.found:
        return "no watermark"
    if found.key_id is None:
        return "made by vasa_jax by its watermark, whose key cannot be read for sure"
    own = keys.own_key_id()
    whose = "this installation's" if own is not None and found.key_id == f"{own:08x}" else found.key_id
    return f"made by vasa_jax by its watermark, key {whose}"
