"""What the schedulers of Hugging Face diffusers make of a denoiser that is not linear: golden numbers and live parity.

python -m tests.diffusion.reference_schedulers   # writes reference_schedulers.json; needs diffusers and torch
"""

import json
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).with_suffix(".json")
_COUNTS = (1, 2, 3, 5, 10, 14, 20, 50)
START = np.linspace(-2.5, 2.5, 11)
_COMMON = {
    "num_train_timesteps": 1000,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "sample",
    "timestep_spacing": "trailing",
}


def counts(method: str) -> list[int]:
    """Numbers of steps to compare; where they do not divide the chain, DDIM there steps past its own next time."""
    return [count for count in _COUNTS if method != "ddim" or 1000 % count == 0]


def denoiser(x, time, tanh=np.tanh):
    """Clean data from noisy, for arrays of any library."""
    return 0.8 * tanh(1.7 * x * (1.2 - time / 1000)) + 0.1


def reference(method: str, count: int) -> list[float]:
    """The result of `diffusers` from START."""
    import diffusers
    import torch

    if method == "dpm++":
        scheduler = diffusers.DPMSolverMultistepScheduler(
            **_COMMON, algorithm_type="dpmsolver++", solver_order=2, solver_type="midpoint", final_sigmas_type="zero"
        )
    else:
        scheduler = diffusers.DDIMScheduler(**_COMMON, clip_sample=False, set_alpha_to_one=True)
    scheduler.set_timesteps(count)
    x = torch.tensor(START, dtype=torch.float64)
    for time in scheduler.timesteps:
        x = scheduler.step(denoiser(x, float(time), torch.tanh), time, x).prev_sample
    return [round(value, 7) for value in x.tolist()]


def main() -> None:
    import diffusers

    made = {method: {str(count): reference(method, count) for count in counts(method)} for method in ("ddim", "dpm++")}
    GOLDEN.write_text(json.dumps({"diffusers": diffusers.__version__, **made}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
