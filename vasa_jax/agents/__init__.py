"""Faces for voice agents: `pipecat.py` for Pipecat, `livekit.py` for LiveKit Agents, both around `avatar.py`."""
