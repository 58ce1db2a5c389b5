"""Writes the same clips as the same bytes, so that a data set made again has the checksums of the first one."""

from collections.abc import Iterable
from typing import Any

import tensorflow as tf
import tensorflow_datasets as tfds


class StableWriter(tfds.core.ExampleWriter):
    """To be returned by a builder's `_example_writer`.

    An example is a map from names to values, and protobuf leaves open in which order a map is written: it differs from
    one process to the next.
    """

    def write(self, path: Any, examples: Iterable[tuple[Any, bytes]]) -> Any:
        """Writes a shard of (key, serialised example)."""
        return super().write(path, ((key, sorted_by_name(example)) for key, example in examples))


def sorted_by_name(example: bytes) -> bytes:
    """The serialised example with its features in the order of their names."""
    return tf.train.Example.FromString(example).SerializeToString(deterministic=True)
