"""The child process that opens strangers' files: `python -m vasa_jax.serve.decoding image|audio FILE OUT LIMIT`.

An image becomes plain pixels (.npy), a recording plain samples at its own rate (.wav). Memory and processor time are
bounded by the system; the child dies with the server that asked for it. What is wrong is one line on standard error,
with exit code 3 (not usable), 4 (too large) or 5 (not such a file at all).
"""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

BAD, LARGE, OTHER = 3, 4, 5
_IMAGES = (
    b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51",
    b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"P7",
)  # fmt: skip


def bounded(memory: int, seconds: int, parent: int) -> None:
    """Bounds this process, and has it end when its parent does (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(BAD)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def looks_like_image(head: bytes) -> bool:
    """Whether a file that begins so is of any kind of image that is read."""
    return head.startswith(_IMAGES) or head[4:8] == b"ftyp" or _is_tga(head)


def _is_tga(head: bytes) -> bool:
    return len(head) >= 18 and head[1] in (0, 1) and head[2] in (1, 2, 3, 9, 10, 11) and head[16] in (8, 15, 16, 24, 32)


def image(path: Path, out: Path, pixels: int) -> int:
    """Decodes a portrait; the exit code."""
    import numpy as np
    from PIL import Image

    from vasa_jax import images
    from vasa_jax.errors import InputError

    with path.open("rb") as file:
        head = file.read(64)
    if not looks_like_image(head):
        return _say("this is no image: send PNG, JPEG, WebP, AVIF, BMP, GIF, TIFF, PPM, TGA or JPEG 2000", OTHER)
    try:
        with Image.open(path) as image:
            width, height = image.size
        if width * height > pixels:
            return _say(f"{width}x{height} pixels; at most {pixels // 1_000_000} megapixels are taken", LARGE)
    except Exception:  # what Pillow cannot even open is told by the reader, in its words
        pass
    try:
        array = images.read_image(path, lambda line: None)
    except InputError as error:
        return _say(str(error).replace(str(path), "the portrait"), BAD)
    np.save(out, array, allow_pickle=False)
    return 0


def audio(path: Path, out: Path, seconds: float) -> int:
    """Decodes a recording; the exit code."""
    import numpy as np
    import soundfile

    from vasa_jax import media
    from vasa_jax.errors import InputError

    try:
        reader = media.AudioReader(path)
        if reader.seconds > seconds + 0.5:
            return _say(f"{reader.seconds:.0f} s of audio; at most {seconds:.0f} are taken", LARGE)
        with soundfile.SoundFile(out, "w", reader.rate, reader.channels, "FLOAT", format="WAV") as file:
            for block in reader.blocks():
                file.write(np.asarray(block))
    except InputError as error:
        said = str(error).replace(str(path), "the audio")
        return _say(said, OTHER if "is not a readable" in said else LARGE if "longer than" in said else BAD)
    return 0


def _say(line: str, code: int) -> int:
    print(" ".join(line.split()), file=sys.stderr)
    return code


def main(words: list[str]) -> int:
    """kind, file, out, limit, bytes of memory, seconds of processor, the parent's number."""
    kind, path, out, limit, memory, seconds, parent = words
    bounded(int(memory), int(seconds), int(parent))
    work: Callable[[], int] = {
        "image": lambda: image(Path(path), Path(out), int(limit)),
        "audio": lambda: audio(Path(path), Path(out), float(limit)),
    }[kind]
    try:
        return work()
    except MemoryError:
        return _say("it takes too much memory to open", LARGE)
    except Exception as error:  # decoders are others' code; the client gets no trace
        return _say(f"it cannot be decoded ({type(error).__name__})", BAD)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
