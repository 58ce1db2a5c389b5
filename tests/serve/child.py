"""`vasa-serve` with small models for the bundled ones: `python -m tests.serve.child --port=0 --folder=F`."""

from experiments import serve
from tests.inference.stand_ins import live_face
from vasa_jax.inference import portrait, talking_face

if __name__ == "__main__":
    portrait.find_face = lambda image, **_: portrait.FaceBox(image.shape[1] / 2, image.shape[0] / 2, 60.0)
    talking_face.TalkingFace.load = classmethod(lambda cls, *_: live_face())
    serve.run()
