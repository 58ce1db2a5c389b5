"""Whose face it is: the project's own portraits, by name, and those that clients send. Faces are kept a while."""

import asyncio
import base64
import binascii
import collections
import hashlib
from pathlib import Path
from typing import Any

import vasa_jax
from vasa_jax.errors import UserError
from vasa_jax.inference.look import Look
from vasa_jax.serve.settings import Settings
from vasa_jax.serve.uploads import Refused, Uploads

ASSETS = Path(vasa_jax.__file__).parent / "assets"
NAMES = ("portrait", "photo", "painting")
"""Of the package's own portraits, whose use needs nobody's consent."""
_KEPT = 16


class Portraits:
    """Finds and encodes faces, one at a time, beside the engine.

    Args:
      face: the model.
      settings: limits.
      uploads: decodes what clients send.
    """

    def __init__(self, face: Any, settings: Settings, uploads: Uploads) -> None:
        self._face, self._settings, self._uploads = face, settings, uploads
        self._looks: collections.OrderedDict[str, Look] = collections.OrderedDict()
        self._turn = asyncio.Lock()

    async def look(self, given: Any) -> Look:
        """The face of a start message's `portrait`: one of `NAMES`, or an image file in base64 (a data URL will do).

        Raises:
          Refused: it is neither, or shows no face.
        """
        if given is None or given in NAMES:
            name = given or NAMES[0]
            return await self.kept(name, lambda: ASSETS / f"{name}.jpg")
        if not isinstance(given, str):
            raise Refused(422, f"portrait: give one of {', '.join(NAMES)}, or an image file in base64")
        text = given.partition(",")[2] if given.startswith("data:") else given
        if len(text) > 1.4 * self._settings.portrait_bytes:
            raise Refused(413, f"the portrait has more than {self._settings.portrait_bytes >> 20} MiB")
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise Refused(422, f"portrait: neither base64 nor one of {', '.join(NAMES)}") from None
        if not data:
            raise Refused(422, "the portrait is empty")
        key = hashlib.sha256(data).hexdigest()
        if key in self._looks:
            return self._looks[key]
        path = self._uploads.new()
        try:
            await asyncio.to_thread(path.write_bytes, data)
            pixels = await self._uploads.image(path)
        finally:
            path.unlink(missing_ok=True)
        return await self.kept(key, lambda: pixels)

    async def kept(self, key: str, image: Any) -> Look:
        """The look of that name, made of `image()` if it is not kept."""
        async with self._turn:
            if key not in self._looks:
                try:
                    self._looks[key] = await asyncio.to_thread(lambda: self._face.look(image()))
                except UserError as error:
                    raise Refused(422, " ".join(str(error).split())) from None
            self._looks.move_to_end(key)
            while len(self._looks) > _KEPT:
                self._looks.popitem(last=False)
            return self._looks[key]
