"""Small models with the methods of the real ones, so that what surrounds them is tested in seconds."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from tests import quick
from vasa_jax.inference.motion import MotionGenerator
from vasa_jax.inference.renderer import FaceRenderer
from vasa_jax.inference.talking_face import TalkingFace
from vasa_jax.models.face_latent import FaceLatents
from vasa_jax.models.motion_transformer import MotionConfig, init_params

SIZE, CODE = 64, 3


class StandInFace:
    """The image, its brightness following the first value of the dynamics code."""

    def apply(self, variables, *args, method):
        return getattr(self, method)(*args)

    def encode(self, image):
        pose, dynamics = self.encode_motion(image)
        return FaceLatents(image[:, None], jnp.zeros((len(image), 4, 4, 1)), pose, dynamics, None)

    def encode_motion(self, image):
        level = image.mean((1, 2, 3))[:, None]
        pose = jnp.zeros((len(image), 7)).at[:, 6].set(1.0)
        return pose, jnp.concatenate([level, jnp.zeros((len(image), CODE - 1))], -1)

    def decode(self, latents, pose, dynamics):
        return jnp.clip(latents.appearance[:, 0] * 0.5 + dynamics[:, :1, None, None], 0.0, 1.0)


class StandInMotion(MotionGenerator):
    """Windows of 20 frames; counts how many it made; `fail_at` raises an error at that window."""

    def __init__(self, fail_at=None, error=KeyboardInterrupt):
        self.made, self.fail_at, self.error, self.asked = 0, fail_at, error, {}

    def windows(self, audio_chunks, frames, **options):
        self.asked = options
        audio = np.concatenate(list(audio_chunks))
        assert len(audio) == frames * 640
        rng = np.random.default_rng(options["seed"])
        for at in range(0, frames, 20):
            if self.fail_at == at // 20:
                raise self.error
            self.made += 1
            motion = np.zeros((min(20, frames - at), 7 + CODE), np.float32)
            motion[:, 6] = 1.0
            motion[:, 7] = rng.uniform(0, 0.4, len(motion))
            yield motion


@functools.cache
def small_motion():
    """A motion model of random weights that hears, for streams: the stand-in makes no windows of audio."""
    config = MotionConfig(
        motion_dim=7 + CODE, width=16, depth=1, heads=2, layout="B", window=12, context=4, lookahead=2, bands=8
    )

    def drawn(key):
        return jax.tree.map(lambda x: x + 0.1 * jax.random.normal(jax.random.key(1), x.shape), init_params(config, key))

    params = quick.jit(drawn)(jax.random.key(0))  # in one program: alone, each shape is compiled by itself
    stats = {"mean": [0.0] * 6 + [1.0] + [0.3] * CODE, "std": [0.02] * 7 + [0.5] * CODE}
    stats["lips"] = np.linalg.qr(np.random.default_rng(0).normal(size=(CODE, 2)))[0].T.astype(np.float32)
    return MotionGenerator(config, params, stats)


@functools.cache
def live_face():
    """A TalkingFace that streams: the brightness of its images follows the audio."""
    return talking_face(small_motion())


def talking_face(motion=None):
    """A TalkingFace of stand-ins."""
    return TalkingFace(FaceRenderer(StandInFace(), {}, SIZE), motion or StandInMotion(), "0" * 64, "stand-in")
