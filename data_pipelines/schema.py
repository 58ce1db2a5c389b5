"""The example that every dataset of this project stores, and what its fields mean.

One example is one clip: images at 25 fps, speech at 16 kHz with the same start, and labels per frame. Images are
stored with a margin about the model's square (`MARGIN`), so that training may move, zoom and rotate its crop; the
coordinates of landmarks and poses stay those of the inner crop, -1..1 (see `vasa_jax.landmarks`).

TensorFlow is not needed to import this module, only to call `features`.
"""

import io
from typing import Any

import cv2
import numpy as np
from PIL import Image

from vasa_jax import conditions, landmarks
from vasa_jax.ops.directions import gaze_angles as gaze_angles
from vasa_jax.ops.directions import gaze_direction as gaze_direction

FRAME_RATE = 25
SAMPLE_RATE = 16_000
SAMPLES_PER_FRAME = SAMPLE_RATE // FRAME_RATE
MARGIN = landmarks.MARGIN
JPEG_QUALITY = 95
JPEG_END = b"\xff\xd9"
PNG_END = b"IEND\xaeB`\x82"
_DECODE = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
RESOLUTIONS = {"tiny_64": 64, "small_128": 128, "lite_256": 256, "vasa_512": 512}
"""Builder configuration -> model resolution. The stored size is `stored_size` of it."""
EMOTIONS = conditions.EMOTIONS

PER_FRAME: dict[str, tuple[tuple[int, ...], Any]] = {
    "landmarks": ((landmarks.COUNT, 3), np.float32),  # crop-normalised
    "pose": ((7,), np.float32),  # `landmarks.fit_pose` of the landmarks
    "gaze": ((2,), np.float32),  # theta, phi in radians, camera frame: + is image right, + is up, 0 looks at the camera
    "eyes": ((2,), np.float32),  # the same angles relative to the head
    "lids": ((2,), np.float32),  # closure 0..1, left and right of the image
    "mouth": ((2,), np.float32),  # opening / face height, rounding 0..1
    "distance": ((), np.float32),  # log scale of the head; + is nearer
    "emotion": ((8,), np.float32),  # 0..1, order of EMOTIONS; neutral is what the others leave: they sum to 1
    "valid": ((), np.bool_),  # the tracker found the face in this frame
    "phonemes": ((), np.int32),  # -1 unknown
}
"""Field with one value a frame -> shape and type of that value."""


def stored_size(resolution: int) -> int:
    """Pixels of a stored image's side for a model of that resolution: 64 -> 80, 128 -> 160."""
    return round(MARGIN * resolution)


def features() -> Any:
    """The TFDS features of an example (`tfds.features.FeaturesDict`), the same for every dataset."""
    import tensorflow_datasets as tfds  # so that the other names serve where TensorFlow is absent

    per_frame = {
        name: tfds.features.Tensor(shape=(None, *shape), dtype=dtype) for name, (shape, dtype) in PER_FRAME.items()
    }
    return tfds.features.FeaturesDict(
        {
            "clip_id": tfds.features.Text(),
            "speaker": tfds.features.Text(),
            "frames": tfds.features.Sequence(tfds.features.Text()),  # JPEG bytes
            "mattes": tfds.features.Sequence(tfds.features.Text()),  # PNG bytes; empty: none are known
            "audio": tfds.features.Tensor(shape=(None,), dtype=np.float32),
            **per_frame,
        }
    )


def make_example(
    clip_id: str, speaker: str, frames: Any, audio: np.ndarray, mattes: Any = (), **labels: np.ndarray
) -> dict[str, Any]:
    """Puts an example together and checks its shapes; unknown `phonemes` may be left out.

    Args:
      clip_id: name of the clip, unique in the dataset.
      speaker: identity; no two people share one.
      frames: uint8 images [t, h, w, 3], or JPEG bytes of t images.
      audio: [t * 640] at 16 kHz, -1..1. One frame too long or short is cut or filled with silence.
      mattes: uint8 [t, h, w] of the frames' size, 255 where only the person is seen, or PNG bytes of t mattes; empty
        where none are known.
      **labels: one array [t, ...] for every name in PER_FRAME.

    Raises:
      ValueError: a label is missing, unknown, of a wrong shape or not finite; or there are mattes for some frames only.
    """
    t = len(frames)
    labels.setdefault("phonemes", np.full(t, -1, np.int32))
    if missing := set(PER_FRAME) ^ set(labels):
        raise ValueError(f"clip {clip_id}: labels missing or unknown: {sorted(missing)}")
    example: dict[str, Any] = {"clip_id": clip_id, "speaker": speaker}
    example["frames"] = [f if isinstance(f, bytes) else encode_jpeg(f) for f in frames]
    example["mattes"] = [m if isinstance(m, bytes) else encode_matte(m) for m in mattes]
    if len(example["mattes"]) not in (0, t):
        raise ValueError(f"clip {clip_id}: {len(example['mattes'])} mattes for {t} frames")
    example["audio"] = fit_audio(audio, t)
    for name, (shape, dtype) in PER_FRAME.items():
        value = np.ascontiguousarray(labels[name], dtype)
        if value.shape != (t, *shape):
            raise ValueError(f"clip {clip_id}: {name} has shape {value.shape}, not {(t, *shape)}")
        if dtype is np.float32 and not np.isfinite(value).all():
            raise ValueError(f"clip {clip_id}: {name} is not finite")
        example[name] = value
    return example


def fit_audio(audio: np.ndarray, frames: int) -> np.ndarray:
    """Cuts or fills with silence at the end, so that the audio lasts exactly as long as the frames, [frames * 640]."""
    wanted = frames * SAMPLES_PER_FRAME
    audio = np.asarray(audio, np.float32)[:wanted]
    return np.pad(audio, (0, wanted - len(audio)))


def encode_jpeg(image: np.ndarray) -> bytes:
    """A uint8 image [h, w, 3] as JPEG, without colour subsampling: at 128 px the lips are a few pixels high."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return stream.getvalue()


def decode_jpeg(data: bytes | memoryview) -> np.ndarray:
    """Inverse of `encode_jpeg` up to the loss of JPEG, uint8 [h, w, 3].

    OpenCV, because it decodes to the same bits as Pillow in less time (see the project's data benchmark), and holds no
    lock of Python's meanwhile.

    Raises:
      ValueError: it is no JPEG, or one that breaks off: OpenCV would fill it up with grey.
    """
    stored = np.frombuffer(data, np.uint8)
    image = cv2.imdecode(stored, _DECODE) if bytes(data[-2:]) == JPEG_END else None
    if image is None:
        raise ValueError("is no whole JPEG image")
    return image


def encode_matte(matte: np.ndarray) -> bytes:
    """A uint8 matte [h, w] as PNG: without loss, so that 255 stays 255, and smaller than JPEG where edges are sharp."""
    return cv2.imencode(".png", matte)[1].tobytes()


def decode_matte(data: bytes | memoryview) -> np.ndarray:
    """Inverse of `encode_matte`, uint8 [h, w].

    Raises:
      ValueError: it is no PNG, or one that breaks off.
    """
    whole = bytes(data[-len(PNG_END) :]) == PNG_END
    matte = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if whole else None
    if matte is None:
        raise ValueError("is no whole PNG image")
    return matte
