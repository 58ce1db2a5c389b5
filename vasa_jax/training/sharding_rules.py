"""Which arrays are split over the tensor axis, as data: `config.sharding_rules = "motion"` or "face".

A rule is a regular expression, searched in the path of a leaf ("params/motion/blocks_0/mlp_in/kernel"), and the mesh
axes of its last dimensions. Moments and averages carry the path of their parameter, so one rule lays out all of them;
what no rule names may still be split over fsdp (`partition.MeshPartitioner`).

Pairs follow Megatron-LM (Shoeybi et al. 2019): what widens is split by its outputs and what narrows again by its
inputs, so that a pair exchanges one sum. Measured on no machine yet. These networks are small enough for data and
fsdp alone, which come first; what the tensor axis costs on a pod is told by vasa-plan.
"""

Rules = tuple[tuple[str, tuple[str | None, ...]], ...]

MOTION: Rules = (
    (r"/attention/(qkv|query|key|value)/(kernel|bias)$", ("tensor",)),
    (r"/attention/out/kernel$", ("tensor", None)),
    (r"/mlp_in/(kernel|bias)$", ("tensor",)),
    (r"/mlp_out/kernel$", ("tensor", None)),
)
"""Heads and hidden units of the transformer. The audio encoder's convolutions stay whole."""

FACE: Rules = (
    # The wide dense layers: readings of codes, the volume of the warps, low-rank style.
    (r"/Dense_\d+/(kernel|bias)$", ("tensor",)),
    # First convolution of a residual block by its outputs, second by its inputs.
    (r"/(ResBlock|Residual)_\d+/\w*Conv_0/(kernel|gain|bias)$", ("tensor",)),
    (r"/(ResBlock|Residual)_\d+/\w*Conv_1/kernel$", ("tensor", None)),
    (r"/PatchDiscriminator_\d+/\w*Conv_[02]/(kernel|bias)$", ("tensor",)),
    (r"/PatchDiscriminator_\d+/\w*Conv_[13]/kernel$", ("tensor", None)),
)
"""Channels inside residual blocks and between pairs of the discriminator's convolutions. Norms between the two of a
pair see channels that are split, and pay for that with an exchange of their sums."""

PRESETS: dict[str, Rules] = {"none": (), "face": FACE, "motion": MOTION}
