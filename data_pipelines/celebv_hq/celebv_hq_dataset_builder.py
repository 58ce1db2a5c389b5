"""TFDS builder; what the data set is stands in `data_pipelines.celebv_hq.celebv_hq`."""

from data_pipelines.celebv_hq import celebv_hq
from data_pipelines.prepare import builder


class Builder(builder.VideoBuilder):
    """See `data_pipelines.prepare.builder.VideoBuilder`."""

    DATA_SET = celebv_hq.DATA_SET
