"""The engine tf.data: a range of steps in, batches out, all between in TensorFlow's own operations.

    range(start, stop)      steps, in order
    map(look up)            a batch: JPEG bytes of the chosen frames, samples, labels (Python: an index and a memory)
    unbatch                 items
    map(decode, parallel)   tf.io.decode_jpeg, as exact as OpenCV's; decode_png; samples unpacked, silence after them
    batch, prefetch

JPEGs are decoded with the accurate DCT (`INTEGER_ACCURATE`), which gives OpenCV's and Pillow's bits; TensorFlow's own
default does not. What an iterator has to keep is the next step: a step that TensorFlow cannot make is made in Python,
which says what is wrong with it, and the range goes on behind it.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from data_pipelines import schema
from data_pipelines.items import Audio, Batch, Images, Item, Mattes, matte_bytes, numbers_of

AHEAD = 2
"""Batches prepared ahead, per thread."""


def iterate(
    rows: Callable[[int], Sequence[Item]],
    collate: Callable[[Sequence[Item]], Batch],
    start: int,
    stop: int,
    threads: int,
) -> Iterator[Batch]:
    """The batches of start .. stop - 1; see `engines.iterate`."""
    import tensorflow as tf

    tf.config.set_visible_devices([], "GPU")  # the accelerators are JAX's
    step = start
    while step < stop:
        first = rows(step)  # names, types and shapes; and what is wrong with this very step
        try:
            for batch in _dataset(rows, first, step, stop, threads).as_numpy_iterator():
                yield batch
                step += 1
        except tf.errors.OpError:
            yield collate(rows(step))  # raises what was wrong, in its own words
            step += 1


def _dataset(rows: Callable[[int], Sequence[Item]], first: Sequence[Item], start: int, stop: int, threads: int) -> Any:
    import tensorflow as tf

    names = list(first[0])
    known = {start: first}
    stored = _stored(first)
    types = [tf.string if stored[name].dtype == object else tf.as_dtype(stored[name].dtype) for name in names]

    def look_up(step: Any) -> list[np.ndarray]:
        made = known.pop(int(step), None)
        found = _stored(rows(int(step)) if made is None else made)
        return [found[name] for name in names]

    def looked_up(step: Any) -> dict[str, Any]:
        found = tf.numpy_function(look_up, [step], types, stateful=False)
        for name, tensor in zip(names, found, strict=True):
            tensor.set_shape(stored[name].shape)
        return dict(zip(names, found, strict=True))

    options = tf.data.Options()
    options.threading.private_threadpool_size = threads
    ordered = {"num_parallel_calls": threads, "deterministic": True}
    dataset = tf.data.Dataset.range(start, stop).map(looked_up, **ordered).unbatch()
    dataset = dataset.map(_decoder(first[0]), **ordered).batch(len(first), drop_remainder=True)
    return dataset.prefetch(AHEAD * threads).with_options(options)


def _stored(items: Sequence[Item]) -> dict[str, np.ndarray]:
    """What is looked up of a batch: bytes of images, mattes and audio (an array of objects), and the values' arrays.

    Raises:
      ValueError: an image or matte breaks off; `items.collate` says which.
    """
    found = {}
    for name, value in items[0].items():
        column = [item[name] for item in items]
        if isinstance(value, Images):
            found[name] = _bytes([_whole(_jpegs(images), schema.JPEG_END) for images in column])
        elif isinstance(value, Mattes):
            of = [matte_bytes(item[value.of]) for item in items]
            found[name] = _bytes([_whole(mattes, schema.PNG_END) for mattes in of])
        elif isinstance(value, Audio):
            found[name] = _bytes([[audio.samples.tobytes()] for audio in column])
        else:
            found[name] = np.array(column)
        if isinstance(value, Audio) or isinstance(_source(items[0], name), int):
            found[name] = found[name][:, 0]
    return found


def _source(item: Item, name: str) -> Any:
    """Numbers of the frames that images, or the images that mattes are of, show."""
    value = item[name]
    value = item[value.of] if isinstance(value, Mattes) else value
    return value.frames if isinstance(value, Images) else None


def _jpegs(images: Images) -> list[bytes]:
    return [bytes(images.clip.jpeg[k]) for k in numbers_of(images)]


def _whole(stored: list[bytes], end: bytes) -> list[bytes]:
    if not all(data.endswith(end) for data in stored if data):
        raise ValueError("an image breaks off")
    return stored


def _bytes(rows: list[list[bytes]]) -> np.ndarray:
    """An array of objects: NumPy's own type for bytes loses zeros at their end."""
    array = np.empty((len(rows), len(rows[0])), object)
    for row, values in zip(array, rows, strict=True):
        row[:] = values
    return array


def _decoder(example: Item) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Stored item -> item, as a graph."""
    import tensorflow as tf

    def image(data: Any) -> Any:
        return tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")

    def matte(data: Any, of: Any) -> Any:
        everywhere = lambda: tf.fill(tf.concat([tf.shape(of)[:-1], [1]], 0), tf.constant(255, tf.uint8))  # noqa: E731
        return tf.cond(tf.strings.length(data) > 0, lambda: tf.io.decode_png(data, channels=1), everywhere)

    def audio(data: Any, length: int) -> Any:
        samples = tf.io.decode_raw(data, tf.float32)
        return tf.ensure_shape(tf.pad(samples, [[0, length - tf.shape(samples)[0]]]), [length])

    def decode(stored: dict[str, Any]) -> dict[str, Any]:
        made = {}
        for name, value in example.items():
            data, several = stored[name], not isinstance(_source(example, name), int)
            if isinstance(value, Images):
                made[name] = tf.map_fn(image, data, fn_output_signature=tf.uint8) if several else image(data)
            elif isinstance(value, Mattes):
                of = made[value.of]
                given = lambda both: matte(*both)  # noqa: E731
                made[name] = tf.map_fn(given, (data, of), fn_output_signature=tf.uint8) if several else matte(data, of)
            elif isinstance(value, Audio):
                made[name] = audio(data, value.length)
            else:
                made[name] = data
        return made

    return decode
