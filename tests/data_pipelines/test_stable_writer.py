"""Equal examples are equal bytes, and are stored as they are."""

import itertools

import tensorflow as tf
from array_record.python import array_record_module
from tensorflow_datasets.core.file_adapters import FileFormat

from data_pipelines import stable_writer

FEATURES = {
    "speaker": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"s1"])),
    "valid": tf.train.Feature(int64_list=tf.train.Int64List(value=[1, 0])),
    "audio": tf.train.Feature(float_list=tf.train.FloatList(value=[0.5])),
}


def test_the_order_of_features_does_not_matter():
    whole = tf.train.Example(features=tf.train.Features(feature=FEATURES))
    written = set()
    for names in itertools.permutations(FEATURES):
        # Messages that follow each other are one message: this is how an order is chosen.
        parts = [tf.train.Example(features=tf.train.Features(feature={name: FEATURES[name]})) for name in names]
        written.add(stable_writer.sorted_by_name(b"".join(part.SerializeToString() for part in parts)))
    assert len(written) == 1
    (data,) = written
    assert tf.train.Example.FromString(data) == whole
    assert data.index(b"audio") < data.index(b"speaker") < data.index(b"valid")


def test_a_shard_is_not_compressed(tmp_path):
    examples = [tf.train.Example(features=tf.train.Features(feature={"speaker": FEATURES["speaker"]}))] * 3
    data = [example.SerializeToString(deterministic=True) for example in examples]
    path = tmp_path / "x-train.array_record-00000-of-00001"
    stable_writer.StableWriter(FileFormat.ARRAY_RECORD).write(path, enumerate(data))
    reader = array_record_module.ArrayRecordReader(str(path))
    assert [reader.read([i])[0] for i in range(reader.num_records())] == data
    assert "uncompressed" in reader.writer_options_string()
