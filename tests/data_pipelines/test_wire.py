import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipelines import records, schema, wire
from tests.data_pipelines.conftest import fake_labels


def _packed(values):
    """Protobuf's varints, written by the book."""
    out = bytearray()
    for value in values:
        value &= (1 << 64) - 1
        while value > 0x7F:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        out.append(value)
    return bytes(out)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=20))
def test_integers(values):
    assert wire.integers(_packed(values)).tolist() == values


def _example(**change):
    frames, labels = np.zeros((3, 16, 16, 3), np.uint8), fake_labels(3, np.random.default_rng(0))
    return schema.make_example("c", "s", frames, np.zeros(3 * 640), **labels) | change


def _raw(**change):
    features = schema.features()
    return features.serialize_example(features.encode_example(_example(**change)))


def test_a_data_set_made_before_there_were_mattes_reads():
    import tensorflow_datasets as tfds

    features = tfds.features.FeaturesDict({k: v for k, v in schema.features().items() if k != "mattes"})
    example = {k: v for k, v in _example().items() if k != "mattes"}
    old = wire.parse_example(features.serialize_example(features.encode_example(example)))
    new = wire.parse_example(_raw())
    assert old.mattes == new.mattes == [] and old.jpeg == new.jpeg
    np.testing.assert_array_equal(old.labels["pose"], new.labels["pose"])


def test_mattes_come_back_and_must_be_as_many_as_frames():
    mattes = np.arange(3, dtype=np.uint8)[:, None, None] * np.ones((16, 16), np.uint8)
    stored = [schema.encode_matte(matte) for matte in mattes]
    clip = wire.parse_example(_raw(mattes=stored))
    np.testing.assert_array_equal([schema.decode_matte(matte) for matte in clip.mattes], mattes)
    with pytest.raises(ValueError, match="2 mattes for 3 frames"):
        wire.parse_example(_raw(mattes=stored[:2]))


def test_a_cut_message_is_a_value_error_or_a_smaller_clip():
    """ArrayRecord's checksums keep such bytes away; should they come, nothing worse may happen."""
    raw = _raw()
    assert len(wire.parse_example(raw)) == 3
    for end in range(0, len(raw), 97):
        with pytest.raises(ValueError):
            wire.parse_example(raw[:end])


def test_audio_that_does_not_fit_the_frames_is_refused():
    with pytest.raises(ValueError, match="1919 samples for 3 frames"):
        wire.parse_example(_raw(audio=np.zeros(3 * 640 - 1, np.float32)))


def test_records_name_what_is_no_clip(tmp_path):
    from array_record.python import array_record_module

    writer = array_record_module.ArrayRecordWriter(
        str(tmp_path / "x-train.array_record-00000-of-00001"), "group_size:1"
    )
    writer.write(b"\x0a\x03abc")
    writer.close()
    with pytest.raises(records.InputError, match="record 0 is not a clip"):
        records.RecordSplit(tmp_path, "train")
