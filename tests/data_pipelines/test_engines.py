"""All engines at once: the same batches, the same errors, resumable by one integer on any number of hosts."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

from data_pipelines import clips, engines, items, requirements, schema
from data_pipelines.wire import Clip
from vasa_jax.errors import InputError, UsageError

MIXTURE = {"alpha": 0.6, "beta": 0.4}
ENGINES = ["tf.data", "grain", "threads"]


@pytest.fixture(params=ENGINES)
def engine(request):
    if request.param not in engines.available():
        pytest.skip(f"the package of engine {request.param} is not installed")
    return request.param


def _stream(data_dir, kind="pairs", **options):
    return clips.ClipStream(str(data_dir), MIXTURE, kind=kind, batch_size=8, length=4, seed=3, **options)


def _same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].dtype == b[name].dtype
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def _joined(shards):
    return {name: np.concatenate([shard[name] for shard in shards]) for name in shards[0]}


@pytest.mark.parametrize("kind", ["pairs", "clips"])
def test_engines_give_identical_batches(data_dir, kind):
    expected = [_stream(data_dir, kind).batch(step) for step in range(4)]
    for name in engines.available():
        given = list(_stream(data_dir, kind, engine=name).iterate(0, 4))
        assert len(given) == 4
        for mine, theirs in zip(given, expected, strict=True):
            _same(mine, theirs)


def test_hosts_together_give_the_global_batch(data_dir, engine):
    whole = list(_stream(data_dir).iterate(1, 4))
    for count in (1, 2, 4):
        hosts = [
            list(_stream(data_dir, process_index=i, process_count=count, engine=engine).iterate(1, 4))
            for i in range(count)
        ]
        for step, batch in enumerate(whole):
            rows = [set(host[step]["index"].tolist()) for host in hosts]
            assert sum(map(len, rows)) == len(set().union(*rows)) == 8  # disjoint and complete
            _same(_joined([host[step] for host in hosts]), batch)


@pytest.mark.parametrize(
    ("before", "after"), [(4, 2), *(pytest.param(*counts, marks=pytest.mark.slow) for counts in ((2, 4), (1, 4)))]
)
@pytest.mark.heavy
def test_resume_on_another_host_count(data_dir, engine, before, after):
    """The next batch is the same bit for bit after any step; all that is carried over is the step."""

    def hosts(count, start):
        return [
            _stream(data_dir, process_index=i, process_count=count, engine=engine).iterate(start) for i in range(count)
        ]

    uninterrupted = [_joined([next(host) for host in group]) for group in [hosts(before, 0)] for _ in range(5)]
    for step in range(5):
        _same(_joined([next(host) for host in hosts(after, step)]), uninterrupted[step])


def test_an_engine_reads_ahead_of_its_consumer_but_not_far(engine):
    asked = []

    def rows(step):
        asked.append(step)
        return [{"step": step}]

    batches = engines.iterate(engine, rows, items.collate, 10, threads=2)
    assert [int(batch["step"][0]) for batch in itertools.islice(batches, 6)] == list(range(10, 16))
    batches.close()
    assert set(asked) >= set(range(10, 16)) and len(asked) == len(set(asked)) < 40


def test_errors_come_out_as_they_went_in(engine):
    def rows(step):
        if step == 3:
            raise InputError("shard 7 is gone")
        return [{"step": step}]

    batches = engines.iterate(engine, rows, items.collate, 0, 10)
    assert [int(next(batches)["step"][0]) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(InputError, match="^shard 7 is gone$"):
        next(batches)


def test_nothing_to_do(engine):
    assert list(engines.iterate(engine, lambda step: [{"step": step}], items.collate, 5, 5)) == []


def _photograph(seed: int, side: int) -> np.ndarray:
    """Blobs of colour with edges and grain: what the DCTs of two decoders would round differently."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 3, side)
    waves = np.sin(x[:, None, None] * rng.uniform(1, 9, 3) + x[None, :, None] * rng.uniform(1, 9, 3))
    edges = 60 * (x[:, None, None] + x[None, :, None] > rng.uniform(1, 5, 3))
    return np.clip(120 + 70 * waves + edges + rng.normal(0, 8, (side, side, 3)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def photographs():
    """Rows of a step whose clips have photographs of 88 px, a part of them with mattes and too short."""
    length, total = 3, 5

    def rows(step):
        made = []
        for row in range(2):
            images = [_photograph(100 * step + 10 * row + k, 88) for k in range(total)]
            clip = Clip(
                "c", "s", [memoryview(schema.encode_jpeg(x)) for x in images], np.zeros(0, np.float32), {},
                [memoryview(schema.encode_matte(x[..., 0])) for x in images] if row else [],
            )  # fmt: skip
            audio = items.Audio(np.sin(np.arange(700 + 500 * row, dtype=np.float32)), 1920)
            made.append(
                {
                    "frames": items.Images(clip, [1, 2, 2]), "matte": items.Mattes("frames"), "audio": audio,
                    "source": items.Images(clip, 4), "source_matte": items.Mattes("source"),
                    "label": np.float32(step) + np.arange(length, dtype=np.float32), "valid": np.arange(3) < 2,
                }
            )  # fmt: skip
        return made

    return rows


def test_tensorflow_decodes_cuts_and_joins_to_the_same_bits(photographs):
    pytest.importorskip("tensorflow")
    given = list(engines.iterate("tf.data", photographs, items.collate, 2, 4))
    for batch, step in zip(given, (2, 3), strict=True):
        expected = items.collate(photographs(step))
        _same(batch, expected)
        assert (expected["matte"][0] == 255).all() and len(np.unique(expected["matte"][1])) > 50
        assert not batch["audio"][:, 1200:].any() and batch["audio"][1, 1190:1200].any()


def test_an_image_that_tensorflow_cannot_decode_is_named_and_the_rest_goes_on(photographs):
    pytest.importorskip("tensorflow")

    def rows(step):
        made = photographs(step)
        if step == 3:
            made[1]["source"].clip.jpeg[4] = memoryview(b"no image" + schema.JPEG_END)
        return made

    batches = engines.iterate("tf.data", rows, items.collate, 2, 5)
    _same(next(batches), items.collate(photographs(2)))
    with pytest.raises(InputError, match="clip c: frame 4 is no whole JPEG image; make the data set again"):
        next(batches)
    _same(next(engines.iterate("tf.data", rows, items.collate, 4, 5)), items.collate(photographs(4)))


def test_unknown_and_missing_engines(monkeypatch):
    with pytest.raises(UsageError, match="tf.data, grain, threads"):
        engines.choose("torch")
    monkeypatch.setattr(requirements, "installed", lambda package: package == "grain")
    assert engines.choose("auto") == "grain" and engines.available() == ["grain", "threads"]
    with pytest.raises(InputError, match="pip install tensorflow-cpu"):
        engines.choose("tf.data")
    monkeypatch.setattr(requirements, "installed", lambda package: False)
    assert engines.choose("auto") == "threads"


def test_without_tensorflow(data_dir):
    """Grain reads what TFDS wrote in a process where TensorFlow cannot be imported, and is chosen by itself."""
    pytest.importorskip("grain")
    code = f"""
import sys
sys.modules["tensorflow"] = None
from data_pipelines.clips import ClipStream
stream = ClipStream({str(data_dir)!r}, {MIXTURE!r}, batch_size=8, seed=3)
assert stream._engine == "grain", stream._engine
print(next(stream.iterate(2))["source_pose"].sum())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout) == pytest.approx(float(_stream(data_dir).batch(2)["source_pose"].sum()))
