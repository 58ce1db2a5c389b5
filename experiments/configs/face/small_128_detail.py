"""Third part of the bundled weights: finer lids and lips, more people, smiles that show teeth.

Command  vasa-train --config=experiments/configs/face/small_128_detail.py --workdir=runs/face_small_128_detail
Start    the averaged parameters of runs/face_small_128_finish (step 1,389)
Data     half GRID, half procedural heads: 480 people of 60 frames (400 to train on), about a quarter smile
Run      1,000 steps, about 30 minutes of two cores that had other work; its latents are the motion model's data
Result   blinks. Before: 6 of 14 kept (one speaker only), of speakers never seen 0 of 10; two runs later
         (small_128_sharp) 13 of 14 and 9 of 10: training_small.json, "face_small_128_sharp"

Four changes against half-closed lids, made together: the flow is corrected at 64x64 cells after the warps' 32x32
(`generator.refine`), where a lid has cells of its own; closed eyes weigh three times as much as open ones
(`loss_focus.closed`); the stream prefers drivers whose lids differ from the source; 400 drawn people instead of 100.
All encoders train again, so that the code learns to tell parted lips that smile from lips that speak. Flat contrast
stands for paintings and old photographs.
"""

import ml_collections

from experiments.configs.face import small_128_finish


def get_config() -> ml_collections.ConfigDict:
    config = small_128_finish.get_config()
    config.seed = 2
    config.steps = 1000
    config.checkpoint_every = 200
    config.eval_every = 500
    config.init_from = "runs/face_small_128_finish"
    config.frozen = ""
    config.data.mixture = ml_collections.ConfigDict({"grid": 0.5, "procedural_heads": 0.5})
    config.model.generator.refine = True
    config.loss_focus = {"mouth": 14.0, "eyes": 12.0, "closed": 2.0}
    config.augment.contrast = 0.3
    config.optimizer.lr = 7e-4
    config.optimizer.warmup_steps = 100
    return config
