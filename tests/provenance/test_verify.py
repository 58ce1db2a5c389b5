"""Marks survive the round trip; a changed byte breaks them; a stream copy loses them; both are told apart."""

import av
import numpy as np
import pytest

from vasa_jax import media
from vasa_jax.errors import InputError
from vasa_jax.provenance import credentials, keys
from vasa_jax.provenance.verify import verify

GENERATION = {"seed": 3, "model_sha256": "ab" * 32, "badge": False}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(autouse=True)
def own_keys(home, monkeypatch):
    monkeypatch.setenv("VASA_KEYS", str(home / "keys"))


@pytest.fixture
def signed(tmp_path):
    key = keys.signing_key()
    path = tmp_path / "signed.mp4"
    with media.VideoWriter(path, finish=lambda p: credentials.sign(p, GENERATION, key, "1.2.3")) as writer:
        for i in range(5):
            writer.write(np.full((64, 64, 3), 40 * i, np.uint8))
    assert [p.name for p in tmp_path.iterdir()] == ["signed.mp4"]
    return path


def test_round_trip(signed):
    verdict = verify(signed)
    assert (verdict.marked, verdict.intact, verdict.trusted) == (True, True, True)
    assert verdict.generation == GENERATION
    assert len(list(media.VideoReader(signed))) == 5


def test_the_manifest_says_that_a_model_made_it(signed):
    import json

    import c2pa

    with signed.open("rb") as file, c2pa.Reader("video/mp4", file) as reader:
        found = json.loads(reader.json())
    manifest = found["manifests"][found["active_manifest"]]
    actions = next(a["data"]["actions"] for a in manifest["assertions"] if a["label"].startswith("c2pa.actions"))
    assert actions[0]["action"] == "c2pa.created"
    assert actions[0]["digitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert manifest["claim_generator_info"][0]["name"] == "vasa_jax"


def test_any_changed_byte_is_noticed(signed, tmp_path):
    data = signed.read_bytes()
    start = data.index(b"mdat")
    for at in np.linspace(start + 8, len(data) - 1, 7).astype(int):
        changed = bytearray(data)
        changed[at] ^= 0x10
        (tmp_path / "t.mp4").write_bytes(changed)
        try:
            verdict = verify(tmp_path / "t.mp4")
        except InputError:
            continue  # no longer a readable video: as good
        assert not verdict.intact and "BROKEN" in verdict.text


def test_a_stream_copy_has_no_mark(signed, tmp_path):
    with av.open(str(signed)) as source, av.open(str(tmp_path / "copy.mp4"), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    verdict = verify(tmp_path / "copy.mp4")
    assert not verdict.marked and not verdict.intact and "no mark" in verdict.text


def test_another_installation_is_intact_but_not_known(signed, monkeypatch, tmp_path):
    monkeypatch.setenv("VASA_KEYS", str(tmp_path / "elsewhere"))
    verdict = verify(signed)
    assert verdict.intact and not verdict.trusted and "does not know" in verdict.text


def test_what_is_no_video_is_unreadable(tmp_path):
    (tmp_path / "t.mp4").write_text("text")
    (tmp_path / "empty.mp4").touch()
    for name in ("t.mp4", "empty.mp4", "missing.mp4", ""):
        with pytest.raises(InputError):
            verify(tmp_path / name)


def test_without_the_package_signing_is_refused(monkeypatch):
    monkeypatch.setattr(credentials, "c2pa", None)
    with pytest.raises(InputError, match="--nocredentials"):
        credentials.require()
