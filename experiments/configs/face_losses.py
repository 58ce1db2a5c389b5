"""The losses of stage 1 as the papers weigh them, for configurations that turn them all on."""

import ml_collections


def paper_losses(config: ml_collections.ConfigDict, warmup: int) -> None:
    """Sets weights and starts: self-reenactment alone for `warmup` steps, the discriminator after twice.

    MegaPortraits (2022): VGG19 20, VGGFace 4, gaze 5, adversarial 1, feature matching 40, contrast 2 with s = 5 and
    m = 0.2. EMOPortraits (2024): canonical volumes 0.5, the positive of another pose. VASA-1 (2024) gives l_consist and
    l_cross_id no weights: half of the features' here, and 10, reached over as many steps as the warm-up has, because
    the analogous loss of EMOPortraits weighs 35 beside a VGG19 of 18. With our own features instead of the published
    networks' (`config.features`) the image losses are smaller by what random filters respond less; pixels and known
    points then carry the start, so their weights stay those of the configuration.
    """
    config.contrast.pairs = "all"
    config.loss.update(
        {
            "feature": 20.0,
            "face": 4.0,
            "gaze": 5.0,
            "adversarial": 1.0,
            "matching": 40.0,
            "contrast": 2.0,
            "canonical": 0.5,
            "consist": 10.0,
            "cross_id": 10.0,
        }
    )
    starts = {name: warmup for name in ("consist", "cross_id", "identity", "contrast", "canonical")}
    config.loss_start.update(starts | {"identity": 0, "discriminator": 2 * warmup, "adversarial": 2 * warmup})
    config.loss_ramp.update({"cross_id": warmup, "consist": warmup, "adversarial": warmup})
