"""Copies in another compression are found; other sentences of the same person in the same chair are not."""

import io

import numpy as np
import pytest
from PIL import Image

from data_pipelines import schema
from data_pipelines.prepare import duplicates
from tests.data_pipelines.prepare.conftest import audio_of, images_of, speech


def clip(seed: int, person: int = 0, t: int = 75, quality: int = 95, noise: float = 0.0) -> dict:
    opening = speech(t, seed)
    frames = []
    for image in images_of(opening, person)[:, :, 16:112]:
        stream = io.BytesIO()
        Image.fromarray(image).resize((80, 80)).save(stream, "JPEG", quality=quality)
        frames.append(stream.getvalue())
    audio = audio_of(opening, seed, 16_000) + noise * np.random.default_rng(9).normal(0, 1, 640 * t)
    return {"frames": frames, "audio": audio.astype(np.float32)}


def signed(name: str, example: dict) -> tuple[str, int, bytes]:
    return name, len(example["frames"]), duplicates.signature(example)


def test_copies_are_found_and_the_first_stays():
    clips = [signed(f"c{seed}", clip(seed)) for seed in range(6)]
    assert duplicates.find(clips) == {}
    copies = [signed("x", clip(3, quality=40, noise=0.002)), signed("y", clip(5))]
    assert duplicates.find(clips + copies) == {"x": "c3", "y": "c5"}


def test_same_audio_under_other_images_is_no_copy():
    assert duplicates.find([signed("a", clip(0, person=0)), signed("b", clip(0, person=1))]) == {}


def test_clips_too_short_to_tell_are_no_copies():
    assert duplicates.find([signed("a", clip(0, t=20)), signed("b", clip(0, t=20))]) == {}


def test_a_signature_has_its_length_whatever_comes():
    for audio in (np.zeros(640 * 3), np.zeros(640 * 250)):
        example = {"frames": clip(0, t=25)["frames"], "audio": audio}
        assert len(duplicates.signature(example)) == duplicates.AUDIO_BYTES + duplicates.IMAGE_BYTES == 56


def test_real_sentences_of_one_speaker_differ(shared):
    videos = sorted((shared / "data" / "grid" / "s1").glob("*.mp4"))[:4]
    if not videos:
        pytest.skip(f"no GRID clips under {shared}")
    from data_pipelines.prepare import ingest

    clips = []
    for path in videos:
        video = ingest.Video(path)
        frames = [schema.encode_jpeg(p[60:220, 100:260]) for p in video.images()]
        clips.append(signed(path.stem, {"frames": frames, "audio": video.audio(len(frames))}))
    assert duplicates.find(clips) == {}
