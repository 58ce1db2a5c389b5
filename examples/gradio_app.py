"""A form in the browser: a portrait and a recording become a video.

pip install 'vasa_jax[gradio]'
python examples/gradio_app.py
"""

import tempfile

import gradio as gr

from vasa_jax import TalkingFace
from vasa_jax.errors import UserError

face = TalkingFace.load("bundled")


def talk(portrait, audio, happiness, agreed):
    """The path of the video; what is wrong is shown to the user."""
    if not agreed:
        raise gr.Error("Please confirm that the person agreed, or does not exist.")
    path = tempfile.NamedTemporaryFile(suffix=".mp4", delete=False).name
    try:
        face.animate(portrait, audio, emotion={"happiness": happiness}).save(path)  # signed, with the AI badge
    except UserError as error:
        raise gr.Error(str(error)) from None
    return path


demo = gr.Interface(
    talk,
    [
        gr.Image(type="filepath", label="Portrait"),
        gr.Audio(type="filepath", label="Speech"),
        gr.Slider(0, 1, 0, label="Happiness"),
        gr.Checkbox(label="The person agreed to this, or does not exist; I will say that the video is generated."),
    ],
    gr.Video(label="AI-generated"),
    title="vasa_jax",
    flagging_mode="never",
)

if __name__ == "__main__":
    demo.launch()
