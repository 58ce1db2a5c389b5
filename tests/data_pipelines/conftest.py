"""Small clips, tracks and data sets, made here so that no test needs files from elsewhere."""

import fractions
import json
import pathlib

import av
import numpy as np
import pytest

from data_pipelines import schema
from vasa_jax import landmarks

CENTRE, SCALE = (70.0, 60.0), 40.0  # of the face in the made videos, pixels


def mesh_of(points: np.ndarray) -> np.ndarray:
    """[t, K, 3] -> [t, 478, 3] with the K points where MediaPipe has them."""
    mesh = np.zeros((len(points), 478, 3), np.float32)
    mesh[:, landmarks.MEDIAPIPE_INDICES] = points
    return mesh


def write_video(
    path: pathlib.Path,
    images: np.ndarray,
    audio: np.ndarray,
    *,
    fps: int = 25,
    rate: int = 44_100,
    audio_delay: float = 0.0,
    video_delay: float = 0.0,
) -> None:
    """An H.264 + AAC file of images [n, h, w, 3] and mono audio, whose streams may start later than time 0."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=fps, options={"crf": "18", "preset": "ultrafast"})
        video.height, video.width, video.pix_fmt = *images.shape[1:3], "yuv420p"
        video.codec_context.time_base = fractions.Fraction(1, 1000 * fps)
        stream = container.add_stream("aac", rate=rate, layout="mono")
        packets = []
        for k, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(1000 * (k + video_delay * fps)), fractions.Fraction(1, 1000 * fps)
            packets += video.encode(frame)
        packets += video.encode(None)
        for at in range(0, len(audio), 1024):
            chunk = np.ascontiguousarray(audio[None, at : at + 1024], np.float32)
            frame = av.AudioFrame.from_ndarray(chunk, format="fltp", layout="mono")
            frame.sample_rate, frame.time_base = rate, fractions.Fraction(1, rate)
            frame.pts = at + round(audio_delay * rate)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        for packet in sorted(packets, key=lambda p: float(p.dts * p.time_base)):
            container.mux(packet)


@pytest.fixture
def video_writer():
    return write_video


@pytest.fixture
def to_mesh():
    return mesh_of


def fake_labels(t: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Labels in range, pose that of the landmarks."""
    points = landmarks.template() + rng.normal(0, 0.01, (t, 1, 3)).astype(np.float32)
    labels = {name: rng.random((t, *shape)).astype(dtype) for name, (shape, dtype) in schema.PER_FRAME.items()}
    valid = np.arange(t) != 1
    return labels | {
        "landmarks": points,
        "pose": landmarks.fit_pose(points),
        "valid": valid,
        "phonemes": np.full(t, -1),
    }


def write_dataset(
    root: pathlib.Path, name: str, clips: dict[str, list[tuple[str, str, int]]], shards: int = 2
) -> pathlib.Path:
    """A data set as TFDS lays it out: {split: [(clip_id, speaker, frames)]}, 80 px images in one colour a frame."""
    from array_record.python import array_record_module

    folder = root / name / "tiny_64" / "1.0.0"
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").write_text(json.dumps({"name": name}))
    features = schema.features()
    for split, entries in clips.items():
        for shard in range(shards):
            path = folder / f"{name}-{split}.array_record-{shard:05d}-of-{shards:05d}"
            writer = array_record_module.ArrayRecordWriter(str(path), "group_size:1")
            for number, (clip_id, speaker, t) in list(enumerate(entries))[shard::shards]:
                rng = np.random.default_rng(number)
                frames = [np.full((80, 80, 3), (10 * number + 5, 3 * k + 5, 128), np.uint8) for k in range(t)]
                # Sample s of the clip holds its frame's number, so that a test can see what belongs together.
                audio = np.repeat(np.arange(t), schema.SAMPLES_PER_FRAME) / 1000
                example = schema.make_example(clip_id, speaker, frames, audio, **fake_labels(t, rng))
                writer.write(features.serialize_example(features.encode_example(example)))
            writer.close()
    return folder


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory) -> pathlib.Path:
    """Two data sets, "alpha" (3 speakers, one with most clips) and "beta", with splits train and test."""
    root = tmp_path_factory.mktemp("data")
    alpha = [(f"a{i}", "s1" if i < 8 else f"s{i - 6}", 12 + i) for i in range(10)]
    beta = [(f"b{i}", f"p{i}", 9) for i in range(5)]
    write_dataset(root, "alpha", {"train": alpha, "test": [("t0", "s1", 7), ("t1", "s2", 20)]})
    write_dataset(root, "beta", {"train": beta}, shards=1)
    return root


@pytest.fixture(scope="session")
def grid_folder(tmp_path_factory) -> tuple[pathlib.Path, pathlib.Path]:
    """(videos, tracks): two speakers with nine sentences and one, a face of template shape, one clip untracked."""
    root = tmp_path_factory.mktemp("grid")
    tracks = root / "tracks"
    tracks.mkdir()
    rng = np.random.default_rng(0)
    for speaker, count in (("s1", 9), ("s5", 1)):
        (root / "videos" / speaker).mkdir(parents=True)
        for i in range(count):
            images = np.full((6, 96, 128, 3), 40, np.uint8)
            images[:, 30:90, 50:90] = 180
            audio = rng.normal(0, 0.05, 44_100 * 6 // 25)
            write_video(root / "videos" / speaker / f"clip{i}.mp4", images, audio)
            points = landmarks.template()[None] * SCALE + np.asarray([*CENTRE, 5.0]) + rng.normal(0, 1, (6, 1, 3))
            ok = np.ones(6, bool) if i != 5 else np.arange(6) < 3
            np.savez(tracks / f"{speaker}_clip{i}.npz", lm=mesh_of(points), bs=np.zeros((6, 52), np.float32), ok=ok)
    (root / "videos" / "s1" / "notes.txt").write_text("not a video")
    return root / "videos", tracks
