"""Equal examples are equal bytes."""

import itertools

import tensorflow as tf

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
