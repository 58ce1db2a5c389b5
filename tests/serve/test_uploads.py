"""What strangers send: decoded within bounds, or refused with a line and a 4xx."""

import asyncio
import io
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests import fuzz_pictures, fuzz_sound
from tests.damage import mutated
from vasa_jax.serve import decoding, uploads
from vasa_jax.serve.settings import Settings

_CLEAN = {0, *uploads._STATUS}


def _fuzz_picture(folder, kind, count) -> list[int]:
    audio, codes = fuzz_pictures.seeds(kind), []
    for number in range(count):
        (folder / "in").write_bytes(fuzz_pictures.mutant(kind, number, audio))
        codes.append(decoding.image(folder / "in", folder / "out.npy", 25_000_000))
    return codes


def _fuzz_sound(folder, form, count) -> list[int]:
    data, codes = fuzz_sound.original(folder, form).read_bytes(), []
    for number in range(count):
        (folder / "in").write_bytes(mutated(data, number))
        codes.append(decoding.audio(folder / "in", folder / "out.wav", 600.0))
    return codes


@pytest.mark.parametrize("kind", fuzz_pictures.FORMATS)
@pytest.mark.parametrize("count", [10, pytest.param(500, marks=pytest.mark.slow)])
def test_mutated_portraits(tmp_path, kind, count, capfd) -> None:
    codes = _fuzz_picture(tmp_path, kind, count)
    assert set(codes) <= _CLEAN and len(codes) == count
    said = capfd.readouterr().err.splitlines()
    assert len(said) == sum(code != 0 for code in codes) and not any(str(tmp_path) in line for line in said)


@pytest.mark.parametrize("form", fuzz_sound.FORMATS)
@pytest.mark.parametrize("count", [5, pytest.param(500, marks=pytest.mark.slow)])
def test_mutated_recordings(tmp_path, form, count, capfd) -> None:
    codes = _fuzz_sound(tmp_path, form, count)
    assert set(codes) <= _CLEAN and len(codes) == count
    assert not any(str(tmp_path) in line for line in capfd.readouterr().err.splitlines())


def _uploads(folder, **limits) -> uploads.Uploads:
    uploads.sweep(folder)
    return uploads.Uploads(Settings(folder=folder, **limits))


def test_a_child_that_takes_too_long_is_ended(tmp_path, monkeypatch) -> None:
    made = _uploads(tmp_path / "serve", decode_seconds=0.05)
    out = io.BytesIO()
    Image.new("RGB", (64, 64)).save(out, "PNG")
    path = made.new()
    path.write_bytes(out.getvalue())
    with pytest.raises(uploads.Refused, match="too long") as told:
        asyncio.run(made.image(path))
    assert told.value.status == 422
    assert [p.name for p in (tmp_path / "serve").iterdir() if p != path] == ["vasa-serve"]


def test_a_part_is_bounded_while_it_is_read(tmp_path) -> None:
    made = _uploads(tmp_path / "serve")

    class Part:
        left = 10

        async def read(self, size):
            self.left -= 1
            return b"x" * size if self.left >= 0 else b""

    with pytest.raises(uploads.Refused, match="more than 3 MiB") as told:
        asyncio.run(made.save(Part(), 3 << 20, "the audio"))
    assert told.value.status == 413 and [p.name for p in (tmp_path / "serve").iterdir()] == ["vasa-serve"]


@pytest.mark.skipif(sys.platform != "linux", reason="the bound is Linux's")
def test_the_child_bounds_its_own_memory() -> None:
    code = (
        "from vasa_jax.serve import decoding; import os, sys\n"
        "decoding.bounded(300 << 20, 10, os.getppid())\n"
        "try:\n    bytearray(1 << 30)\nexcept MemoryError:\n    sys.exit(decoding.LARGE)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": os.getcwd()})
    assert done.returncode == decoding.LARGE


def test_images_come_through_as_they_are(tmp_path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    assert decoding.image(tmp_path / "in.png", tmp_path / "out.npy", 25_000_000) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), pixels)
    assert decoding.image(tmp_path / "in.png", tmp_path / "out.npy", 1999) == decoding.LARGE
