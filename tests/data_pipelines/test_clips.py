import itertools

import numpy as np
import pytest

from data_pipelines import clips, engines, schema
from data_pipelines.prepare import latents
from vasa_jax.errors import InputError, UsageError

MIXTURE = {"alpha": 0.6, "beta": 0.4}


def _same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.fixture(scope="module")
def latents_dir(data_dir, tmp_path_factory):
    """Caches whose motion is (brightness of red, of green, ...): the clip's and the frame's number."""
    out = tmp_path_factory.mktemp("latents")

    def encode(images):
        colour = images.mean((1, 2)) * 255
        return np.repeat(colour[:, :1], 7, 1), np.repeat(colour[:, 1:2], 3, 1)

    for name in MIXTURE:
        latents.encode_dataset(
            data_dir / name / "tiny_64" / "1.0.0", name, encode, 64, out / f"{name}.npz", batch_size=16
        )
    return out


@pytest.fixture(scope="module", params=["pairs", "clips", "windows"])
def make(request, data_dir, latents_dir):
    def make(**options):
        folder = latents_dir if request.param == "windows" else data_dir
        kind = {"kind": request.param, "length": 5, "previous": 2, "window": 6, "batch_size": 8, "seed": 1}
        return clips.ClipStream(str(folder), MIXTURE, **(kind | options))

    return make


def test_batch_is_a_pure_function_of_seed_and_step(make):
    stream = make()
    first = stream.batch(5)
    stream.batch(9)
    _same(stream.batch(5), first)
    _same(make().batch(5), first)
    assert any((stream.batch(6)[name] != value).any() for name, value in first.items())
    assert any((make(seed=2).batch(5)[name] != value).any() for name, value in first.items())


@pytest.mark.parametrize("reuse", [1, 4])
def test_hosts_read_disjoint_slices_of_the_global_batch(make, reuse):
    whole = make(reuse=reuse).batch(3)
    shards = [make(process_index=i, process_count=4, reuse=reuse).batch(3) for i in range(4)]
    _same({name: np.concatenate([s[name] for s in shards]) for name in whole}, whole)
    assert whole["index"].tolist() == list(range(8))


@pytest.mark.parametrize("engine", engines.available())
def test_iterating_gives_the_batches_and_resumes(make, engine):
    stream = make(engine=engine)
    whole = list(stream.iterate(0, 5))
    assert len(whole) == 5
    for step, batch in enumerate(whole):
        _same(batch, stream.batch(step))
    _same(next(iter(stream.iterate(3))), whole[3])


def test_mixture_shares(make):
    domains = np.concatenate([make().batch(step)["domain"] for step in range(5)])
    assert np.bincount(domains).tolist() == [24, 16]


def test_pairs(data_dir):
    stream = clips.ClipStream(str(data_dir), MIXTURE, kind="pairs", batch_size=16, seed=0)
    batch = stream.batch(0)
    assert batch["source"].shape == (16, 80, 80, 3) and batch["source"].dtype == np.uint8
    red = {name: np.round((batch[name][:, 0, 0, 0].astype(float) - 5) / 10) for name in ("source", "driver", "other")}
    np.testing.assert_array_equal(red["source"], red["driver"])  # of one clip: red tells the clip
    for i in range(16):
        source = stream.sources[batch["domain"][i]]
        clip = source[batch["clip"][i]]
        assert red["source"][i] == int(clip.clip_id[1:])
        k = round((batch["source"][i, 0, 0, 1] - 5) / 3)  # green tells the frame, JPEG is off by one at most
        np.testing.assert_array_equal(batch["source_landmarks"][i], clip.labels["landmarks"][k])
        np.testing.assert_array_equal(batch["source_emotion"][i], clip.labels["emotion"][k])
        assert k != 1  # frame 1 is marked not valid
        speaker = {c: s for c, s in zip(source.clip_ids, source.speakers, strict=True)}
        prefix = "ab"[batch["domain"][i]]
        assert speaker[f"{prefix}{int(red['other'][i])}"] != clip.speaker


def test_mattes_are_added_only_when_asked_for(data_dir):
    plain, matted = (clips.ClipStream(str(data_dir), MIXTURE, batch_size=4, mattes=asked) for asked in (False, True))
    batch = matted.batch(0)
    added = {f"{name}_matte" for name in ("source", "driver", "other")}
    assert added == batch.keys() - plain.batch(0).keys()
    _same(plain.batch(0), {name: value for name, value in batch.items() if name not in added})
    assert all((batch[name] == np.full((4, 80, 80, 1), 255)).all() for name in added)  # these data sets have none


def test_clip_audio_belongs_to_its_frames(data_dir):
    stream = clips.ClipStream(str(data_dir), {"alpha": 1}, kind="clips", length=5, batch_size=8)
    for step in range(3):
        batch = stream.batch(step)
        frame = np.round((batch["frames"][:, :, 0, 0, 1].astype(float) - 5) / 3)
        heard = batch["audio"].reshape(8, 5, schema.SAMPLES_PER_FRAME) * 1000
        np.testing.assert_allclose(heard, np.broadcast_to(frame[..., None], heard.shape), atol=1e-3)


def test_short_clips_are_filled_up(data_dir):
    stream = clips.ClipStream(str(data_dir), {"beta": 1}, kind="clips", length=12, batch_size=5)
    batch = stream.batch(0)
    assert batch["valid"].tolist() == [[True, False] + [True] * 7 + [False] * 3] * 5
    assert (batch["frames"][:, 8] == batch["frames"][:, 11]).all() and (batch["audio"][:, 9 * 640 :] == 0).all()


def test_a_fixed_start(data_dir):
    stream = clips.ClipStream(str(data_dir), {"alpha": 1}, split="test", kind="clips", length=5, start=0, batch_size=2)
    assert len(stream) == 2 and sorted(stream.batch(4)["clip"]) == [0, 1]  # each clip once an epoch
    np.testing.assert_allclose(stream.batch(0)["audio"][:, :640], 0, atol=1e-6)


def test_windows(data_dir, latents_dir):
    stream = clips.ClipStream(str(latents_dir), {"alpha": 1}, kind="windows", previous=2, window=6, batch_size=8)
    for step in range(3):
        batch = stream.batch(step)
        assert batch["motion"].shape == (8, 8, 10) and batch["valid"].shape == (8, 8)
        frame = np.round((batch["motion"][..., 9] - 5) / 3)
        assert (np.diff(frame, axis=1) == 1).all()
        heard = batch["audio"].reshape(8, 8, schema.SAMPLES_PER_FRAME) * 1000
        # int16 storage: half a step of 1/32767, times 1000.
        np.testing.assert_allclose(heard, np.broadcast_to(frame[..., None], heard.shape), atol=0.04)
        for i in range(8):
            clip = stream.sources[0].clip_ids[batch["clip"][i]]
            assert round((batch["motion"][i, 0, 0] - 5) / 10) == int(clip[1:])
    mean, std = (np.asarray(stream.motion_stats()[key]) for key in ("mean", "std"))
    arrays = stream.sources[0].arrays
    train = np.repeat(arrays["split"] == "train", np.diff(arrays["offsets"])) & arrays["valid"]
    np.testing.assert_allclose(mean, arrays["motion"][train].mean(0), rtol=1e-4)  # float32 sums
    assert (std > 0).all()


def test_windows_longer_than_a_clip(latents_dir):
    stream = clips.ClipStream(str(latents_dir), {"beta": 1}, kind="windows", previous=4, window=10, batch_size=2)
    batch = stream.batch(0)
    assert not batch["valid"][:, 9:].any() and batch["valid"][:, 2:9].all()
    assert (batch["motion"][:, 9:] == batch["motion"][:, 8:9]).all() and (batch["audio"][:, 9 * 640 :] == 0).all()


def test_wrong_options_are_usage_errors(data_dir):
    wrong = [
        {"kind": "films"},
        {"kind": "windows", "mattes": True},
        {"engine": "x"},
        {"batch_size": 3, "process_count": 2},
        {"mixture": {}},
        {"size": 81},
    ]
    for options in wrong:
        with pytest.raises(UsageError):
            clips.ClipStream(**({"data_dir": str(data_dir), "mixture": MIXTURE} | options))


def test_missing_data_names_the_command(tmp_path):
    with pytest.raises(InputError, match="--name=grid"):
        clips.ClipStream(str(tmp_path), {"grid": 1})
    with pytest.raises(InputError, match="--stage=latents"):
        clips.ClipStream(str(tmp_path), {"grid": 1}, kind="windows")


def test_no_frame_is_ever_left_out(data_dir):
    """Each start is possible: over many items every frame of the longest clip is read."""
    stream = clips.ClipStream(str(data_dir), {"beta": 1}, kind="clips", length=3, batch_size=5)
    greens = [stream.batch(step)["frames"][:, :, 0, 0, 1] for step in range(20)]
    assert {round((g - 5) / 3) for g in itertools.chain.from_iterable(x.ravel().tolist() for x in greens)} == set(
        range(9)
    )
