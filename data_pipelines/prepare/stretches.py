"""Long videos in pieces that are worked on one by one, so that memory stays flat and little is lost by a killed run."""

import dataclasses

from data_pipelines.prepare import ingest
from data_pipelines.prepare.source import Source
from vasa_jax.errors import InputError

STRETCH = 120.0
"""Seconds that are worked on at once; a clip that spans the seam is cut there."""


def split(source: Source) -> list[Source]:
    """A long source as stretches of about STRETCH seconds, named NAME_p000, NAME_p001 and so on.

    Sources that are short, or that cannot be read, come back as they are.
    """
    try:
        seconds = ingest.read_header(source.path, source.audio).seconds or 0.0
    except InputError:
        return [source]
    end = seconds if source.end is None else min(source.end, seconds)
    count = round((end - source.start) / STRETCH)
    if count < 2:
        return [source]
    # By the frame, so that no image falls between two stretches. The last goes to the end, wherever that is.
    edges = [source.start + k * STRETCH for k in range(count)]
    return [
        dataclasses.replace(source, name=f"{source.name}_p{k:03d}", start=start, end=stop)
        for k, (start, stop) in enumerate(zip(edges, [*edges[1:], source.end]))
    ]
