"""Writes speech_golden.json: what transformers makes of the folders of `speech_folder`.

python -m tests.models.audio.make_speech_golden        # needs torch and transformers
"""

import json
import tempfile
from pathlib import Path

import numpy as np

from tests.models.audio import speech_folder

GOLDEN = Path(__file__).with_name("speech_golden.json")
SAMPLES, HEARD = 1333, 1000


def audio() -> np.ndarray:
    """Two recordings, the second padded; [2, n]."""
    made = np.random.default_rng(7).standard_normal((2, SAMPLES)).astype(np.float32)
    made[1, HEARD:] = 0.0
    return made


def main() -> None:
    import torch
    import transformers

    kinds = {"wav2vec2": transformers.Wav2Vec2Model, "wavlm": transformers.WavLMModel}
    found = {"torch": torch.__version__, "transformers": transformers.__version__}
    for form, config in speech_folder.FORMS.items():
        with tempfile.TemporaryDirectory() as folder:
            speech_folder.write_folder(Path(folder), form)
            model = kinds[config["model_type"]].from_pretrained(folder).eval()
        mask = torch.ones(2, SAMPLES, dtype=torch.long)
        mask[1, HEARD:] = 0
        with torch.no_grad():
            out = model(torch.tensor(audio()), attention_mask=mask, output_hidden_states=True)
        states = [*out.hidden_states, out.last_hidden_state]
        found[form] = [[float(f"{x:.6g}") for x in state.reshape(-1).tolist()] for state in states]
    GOLDEN.write_text(json.dumps(found, separators=(",", ":")).replace("],[", "],\n[") + "\n")


if __name__ == "__main__":
    main()
