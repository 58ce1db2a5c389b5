"""What a server allows, in one place."""

import dataclasses
from pathlib import Path

MIB = 2**20


@dataclasses.dataclass(frozen=True)
class Settings:
    """Limits of a server; see docs/live.md.

    Attributes:
      token: that every request but the page and the health must bear; empty: none.
      sessions: live sessions at once.
      folder: for uploads and videos; made at the start, what an earlier server left there is deleted.
      portrait_bytes, audio_bytes: of an upload; pixels: of a portrait; seconds: of a recording.
      queued: videos that may wait; kept: videos that are kept for fetching, the oldest go first.
      live_seconds: that a live session may last; idle_seconds: without a message from its client.
      decode_seconds, decode_bytes: of the child that decodes an upload.
    """

    token: str = ""
    sessions: int = 4
    folder: Path = Path("vasa_serve")
    portrait_bytes: int = 20 * MIB
    audio_bytes: int = 100 * MIB
    pixels: int = 25_000_000
    seconds: float = 600.0
    queued: int = 8
    kept: int = 50
    live_seconds: float = 3600.0
    idle_seconds: float = 60.0
    decode_seconds: float = 60.0
    decode_bytes: int = 4096 * MIB
    decoders: int = 2
