"""Fragmented MP4: every frame at its time, audio in step, badge and watermark in every image."""

import io

import av
import numpy as np

from vasa_jax.provenance import badge, watermark
from vasa_jax.serve.media import MIME, Encoder


def _stream(size=128, pairs=12, loud=6):
    """Black and silent, but for two frames that are white and loud."""
    encoder = Encoder(size)
    pieces = [encoder.header]
    for k in range(pairs):
        audio = 0.9 * np.sin(0.5 * np.arange(1280)) if k == loud else np.zeros(1280)
        pieces.append(encoder.add([np.full((size, size, 3), 255 if k == loud else 0, np.uint8)] * 2, audio))
    return encoder, pieces


def test_images_and_audio_are_where_they_belong():
    encoder, pieces = _stream()
    data = b"".join(pieces)
    with av.open(io.BytesIO(data)) as container:
        frames = [(float(f.time), f.to_ndarray(format="gray").mean()) for f in container.decode(video=0)]
    np.testing.assert_allclose([at for at, _ in frames], np.arange(24) / 25, atol=1e-4)
    assert [k for k, (_, level) in enumerate(frames) if level > 128] == [12, 13]
    with av.open(io.BytesIO(data)) as container:
        heard = [(float(f.time), f.to_ndarray()[0]) for f in container.decode(audio=0)]
    audio = np.concatenate([part for _, part in heard])
    begins = heard[0][0] + np.argmax(np.abs(audio) > 0.3) / 16_000
    assert abs(begins - 12 / 25) < 0.005, "A/V offset"
    assert encoder.frames == 24


def test_a_fragment_is_whole_at_once():
    """What one call returns can be shown without the next: a player is never a call behind."""
    encoder, pieces = _stream(pairs=3)
    for count in (1, 2, 3):
        with av.open(io.BytesIO(b"".join(pieces[: 1 + count]))) as container:
            assert sum(1 for _ in container.decode(video=0)) == 2 * count


def test_it_is_what_it_says():
    encoder, pieces = _stream(pairs=1)
    at = pieces[0].index(b"avcC")
    assert f"avc1.{pieces[0][at + 5 : at + 8].hex().upper()}"[:7] == MIME.split('"')[1][:7]
    assert encoder.add([], np.zeros(0, np.float32)) == b""


def test_the_badge_and_the_watermark_are_in_every_image():
    _, pieces = _stream(pairs=3)
    rows, columns, *_ = badge.mask(128, 128)
    with av.open(io.BytesIO(b"".join(pieces))) as container:
        for frame in container.decode(video=0):
            corner = frame.to_ndarray(format="gray")[rows, columns].astype(int)
            assert corner.max() - corner.min() > 120
    encoder, grey = Encoder(256), np.full((256, 256, 3), 128, np.uint8)
    pieces = [encoder.header] + [encoder.add([grey] * 2, np.zeros(1280, np.float32)) for _ in range(50)]
    with av.open(io.BytesIO(b"".join(pieces))) as container:
        found = watermark.find(frame.to_ndarray(format="rgb24") for frame in container.decode(video=0))
    assert found.found
