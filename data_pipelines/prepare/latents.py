"""The motion model's data: the face model's pose and dynamics of every frame, with the speech and the labels.

One npz per data set, frames of all clips one after another:
  audio int16 [n * 640]; motion float32 [n, 7 + d], pose then dynamics, not standardised; mouth [n, 2]; lids [n, 2];
  valid [n]; what a motion model may be told (`vasa_jax.conditions`): gaze [n, 2]; distance [n], log scale, + is nearer;
  emotion [n, 8];
  offsets [clips + 1] of the clips' first frames; clip_id, speaker, split [clips];
  motion_mean, motion_std [7 + d], distance_mean, distance_std over the training split.
"""

import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tqdm
from PIL import Image

from data_pipelines import order, records, schema
from vasa_jax import conditions, files

Encode = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Pictures [b, h, w, 3] in 0..1 -> pose [b, 7] and dynamics [b, d]."""

ZOOM_STD = {"grid": 0.10}
"""Standard deviation of the log zoom given to each clip. GRID crops are normalised to the head's size, so that distance
would say nothing; the zoom gives back what a camera that is nearer or farther would show."""
_MAX_ZOOM = schema.MARGIN
_SEED = 7
_SPLITS = ("train", "validation", "test", "unseen")
_LABELS = ("mouth", "lids", "valid")


def clip_zoom(name: str, index: int, split: str) -> float:
    """How much larger than in its normalised crop a clip is shown; always the same for the same clip."""
    std = ZOOM_STD.get(name, 0.0)
    rng = order.item_rng(_SEED, index, _SPLITS.index(split))
    return float(np.clip(np.exp(std * rng.standard_normal()), 1 / _MAX_ZOOM, _MAX_ZOOM))


def model_image(image: np.ndarray, resolution: int, zoom: float = 1.0) -> np.ndarray:
    """The model's image, uint8 [resolution, resolution, 3], out of a stored one, seen `zoom` times as large."""
    size = image.shape[0]
    reach = size / (2 * schema.MARGIN * zoom)
    middle = size / 2
    edges = (middle - reach, middle - reach, middle + reach, middle + reach)
    if zoom == 1 and round(2 * reach) == resolution and (size - resolution) % 2 == 0:
        at = slice((size - resolution) // 2, (size + resolution) // 2)
        return image[at, at]
    return np.asarray(Image.fromarray(image).resize((resolution, resolution), Image.Resampling.BICUBIC, box=edges))


def load_encoder(checkpoint_path: str) -> tuple[Encode, int]:
    """The face model of a release or a training workdir as a jitted function, and its resolution."""
    import jax
    import ml_collections

    from vasa_jax.models.face_latent import FaceLatentModel
    from vasa_jax.training.trained import open_trained

    face = open_trained(checkpoint_path, "face")
    model = FaceLatentModel(ml_collections.FrozenConfigDict(face.config))
    apply = jax.jit(lambda p, images: model.apply({"params": p}, images, method="encode_motion"))
    params = jax.device_put(face.params)

    def encode(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pose, dynamics = apply(params, images)
        return np.asarray(pose), np.asarray(dynamics)

    return encode, int(face.config["size"])


def make_latents(data_dir: str, name: str, config: str, checkpoint: str, path: str | pathlib.Path) -> dict[str, Any]:
    """Encodes all splits of a data set into a latents cache; returns what the report says."""
    folder = records.find_dataset(data_dir, name, config)
    encode, resolution = load_encoder(checkpoint)
    return encode_dataset(folder, name, encode, resolution, path)


def encode_dataset(
    folder: pathlib.Path, name: str, encode: Encode, resolution: int, path: str | pathlib.Path, batch_size: int = 64
) -> dict[str, Any]:
    """As `make_latents`, with any encoder.

    Args:
      folder: version folder of the data set.
      name: of the data set, for `ZOOM_STD`.
      encode: see `Encode`; always called with `batch_size` images.
      resolution: of the encoder's images.
      path: of the npz to write.
      batch_size: images at once.
    """
    told = conditions.told()
    per_frame = (*(one.name for one in told), *_LABELS)
    columns: dict[str, list] = {key: [] for key in (*per_frame, "audio", "clip_id", "speaker", "split", "length")}
    splits = {
        s: records.RecordSplit(folder, s, cache_bytes=0) for s in _SPLITS if list(folder.glob(f"*-{s}.array_record-*"))
    }

    def images() -> Iterator[np.ndarray]:
        for split, source in splits.items():
            for index in tqdm.tqdm(range(len(source)), desc=f"latents of {name}/{split}", unit="clip", mininterval=2):
                clip = source[index]
                zoom = clip_zoom(name, index, split)
                labels = clip.labels | {"distance": clip.labels["distance"] + np.float32(np.log(zoom))}
                for one in told:
                    columns[one.name].append(one.of_labels(labels))
                for key in _LABELS:
                    columns[key].append(labels[key])
                columns["audio"].append((np.clip(clip.audio, -1, 1) * 32767).round().astype(np.int16))
                for key, value in (
                    ("clip_id", clip.clip_id),
                    ("speaker", clip.speaker),
                    ("split", split),
                    ("length", len(clip)),
                ):
                    columns[key].append(value)
                for k in range(len(clip)):
                    yield model_image(clip.image(k), resolution, zoom)

    motion = _encode_all(images(), encode, batch_size)
    arrays = {key: np.concatenate(columns[key]) for key in (*per_frame, "audio")}
    arrays |= {key: np.asarray(columns[key]) for key in ("clip_id", "speaker", "split")}
    arrays |= {"motion": motion, "offsets": np.cumsum([0, *columns["length"]])}
    arrays |= _statistics(arrays)
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)
    clips = {split: int((arrays["split"] == split).sum()) for split in splits}
    print(f"{path}: {clips} clips, {len(motion)} frames, motion of {motion.shape[1]}")
    return {"latents": str(path), "clips": clips, "frames": len(motion), "motion": motion.shape[1]}


def _encode_all(images: Iterator[np.ndarray], encode: Encode, batch_size: int) -> np.ndarray:
    """Motion [n, 7 + d] of n images. The last batch is filled up, so that one shape is compiled."""
    parts, waiting = [], []

    def flush() -> None:
        batch = np.stack(waiting + [waiting[-1]] * (batch_size - len(waiting)))
        motion = np.concatenate(encode(batch.astype(np.float32) / 255), -1)
        parts.append(motion[: len(waiting)].astype(np.float32))
        waiting.clear()

    for image in images:
        waiting.append(image)
        if len(waiting) == batch_size:
            flush()
    if waiting:
        flush()
    return np.concatenate(parts)


def _statistics(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Mean and standard deviation over the valid frames of the training split (of all splits if there is none)."""
    lengths = np.diff(arrays["offsets"])
    train = np.repeat(arrays["split"] == "train", lengths) & arrays["valid"]
    train = train if train.any() else arrays["valid"]
    statistics = {}
    for name in ("motion", *(one.name for one in conditions.told() if one.standardised)):
        values = arrays[name][train].astype(np.float64)
        statistics[f"{name}_mean"] = values.mean(0).astype(np.float32)
        statistics[f"{name}_std"] = np.maximum(values.std(0), 1e-4).astype(np.float32)
    return statistics
