"""Runs what `vasa-export --stablehlo` wrote. Needs jax and numpy alone; a copy lies beside the files as load.py.

import load
face = load.Exported("FOLDER")
latents = face.encode(image[None])                          # float32 [b, s, s, 3] in 0..1
motion, level = face.motion(**face.silence(batch=1))          # one window of standardised motion [b, w, m]
frames = face.decode(latents, face.to_vectors(motion[0]))     # [w, s, s, 3]
"""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

_TYPES = {"F32": np.float32, "F16": np.float16, "I32": np.int32, "I8": np.int8, "BOOL": np.bool_}


def read_safetensors(path):
    """{name: array} of a safetensors file: 8 bytes of length, a JSON header, the arrays."""
    data = Path(path).read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    arrays = {}
    for name, entry in header.items():
        start, stop = (8 + size + at for at in entry["data_offsets"])
        arrays[name] = np.frombuffer(data[start:stop], _TYPES[entry["dtype"]]).reshape(entry["shape"])
    return arrays


class Exported:
    """The functions of an exported folder with their weights.

    Attributes:
      config: sizes, and what every argument is (config.json).
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.config = json.loads((self.folder / "config.json").read_text())
        self._weights, self._functions = {}, {}

    def _call(self, name, *arguments):
        if name not in self._functions:
            loaded = export.deserialize(bytearray((self.folder / f"{name}.stablehlo").read_bytes()))
            self._functions[name] = jax.jit(loaded.call)
        weights = "motion" if name == "motion" else "face"
        if weights not in self._weights:
            arrays = read_safetensors(self.folder / f"{weights}.safetensors")
            self._weights[weights] = {key: jnp.asarray(value) for key, value in arrays.items()}
        return self._functions[name](self._weights[weights], *arguments)

    def encode(self, images):
        """Latents of portraits, float32 [b, s, s, 3] in 0..1, as {name: [b, ...]}."""
        return self._call("encode", jnp.asarray(images, jnp.float32))

    def decode(self, latents, vectors, row=0):
        """Pictures [b, s, s, 3] in 0..1 of one person, that of `row` of the latents, for motion vectors [b, 7 + d]."""
        one = {name: value[row : row + 1] for name, value in latents.items()}
        return self._call("decode", one, jnp.asarray(vectors, jnp.float32))

    def motion(self, **inputs):
        """One window: standardised motion [b, w, m] and the speech level [b] that the next window is given as `floor`.

        The inputs are those of `silence`; config.json says what they are.
        """
        names = sorted(self.config["motion_inputs"])
        if sorted(inputs) != names:
            raise TypeError(f"the motion step takes {', '.join(names)}")
        return self._call("motion", {name: jnp.asarray(inputs[name]) for name in names})

    def silence(self, batch=1, seed=0):
        """Inputs of a first window in which nothing is said, to put audio and wishes into."""
        made = {}
        for name, entry in self.config["motion_inputs"].items():
            made[name] = np.full((batch, *entry["shape"]), entry["value"], entry["dtype"])
        scale = np.asarray(self.config["noise_scale"], np.float32)
        noise = scale * np.random.default_rng(seed).standard_normal(made["noise"].shape, np.float32)
        if lips := self.config.get("noise_lips"):  # orthonormal directions of the code
            lips = np.asarray(lips, np.float32)
            noise[..., 7:] -= noise[..., 7:] @ lips.T @ lips
        made["noise"] = noise
        return made

    def to_vectors(self, motion):
        """Standardised motion [..., m] to what `decode` is given, within the bounds of the data."""
        stats = {name: np.asarray(value, np.float32) for name, value in self.config["motion_stats"].items()}
        return np.clip(np.asarray(motion) * stats["std"] + stats["mean"], stats["low"], stats["high"])
