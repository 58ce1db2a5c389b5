"""Face latent model at 256 px with the paper's volume and blocks: the first stage of training vasa_512.

Command  vasa-train --config=experiments/configs/face/vasa_256.py --workdir=runs/face_vasa_256
Data     clips of at least 256 px, prepared with --size=lite_256

MegaPortraits trains 200,000 steps of 24 items at 256 px first, then 300,000 of 16 at 512; so does this
pair: vasa_512 goes on with `--config.init_from=runs/face_vasa_256`, and what belongs to one size only starts fresh.
Everything that lives in the volume (96x16x64x64), the identity map and the codes is as in vasa_512; E_app leaves out
its first pooled stage and G2D its last doubling, so the image is four times smaller and the volume is not.
The 3D parts therefore cost what they cost at 512 px: a decoded frame 474 GFLOP of 534, encoding 4.36 TFLOP of 4.56.
"""

import ml_collections

from experiments.configs.face import vasa_512


def get_model() -> ml_collections.ConfigDict:
    model = vasa_512.get_model()
    model.size = 256
    model.appearance.widths = (256, 512)
    model.generator.widths = (256, 128)
    return model


def get_config() -> ml_collections.ConfigDict:
    config = vasa_512.get_config()
    config.steps = 200_000
    config.batch_size = 24
    config.data.size = 320
    config.model = get_model()
    return config
