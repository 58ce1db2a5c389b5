"""TFDS builder; what the data set is stands in `data_pipelines.talkinghead_1kh.talkinghead_1kh`."""

from data_pipelines.prepare import builder
from data_pipelines.talkinghead_1kh import talkinghead_1kh


class Builder(builder.VideoBuilder):
    """See `data_pipelines.prepare.builder.VideoBuilder`."""

    DATA_SET = talkinghead_1kh.DATA_SET
