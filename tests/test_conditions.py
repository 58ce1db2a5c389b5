"""The table of conditions: documented as it is, consistent with what is stored, in the order of released weights."""

from pathlib import Path

import pytest

from data_pipelines import schema
from vasa_jax import conditions
from vasa_jax.errors import UsageError

PAGE = Path(__file__).resolve().parents[1] / "docs" / "conditions.md"


def test_the_page_shows_the_table() -> None:
    assert conditions.markdown() in PAGE.read_text(encoding="utf-8"), "put in what python -m vasa_jax.conditions prints"


def test_the_order_is_that_of_the_nulls_in_released_weights() -> None:
    names = [condition.name for condition in conditions.CONDITIONS]
    assert names[:5] == ["audio", "gaze", "distance", "emotion", "previous"] and len(set(names)) == len(names)


@pytest.mark.parametrize("condition", conditions.told(), ids=lambda condition: condition.name)
def test_labels_are_stored_in_the_shape_that_is_told(condition) -> None:
    if not callable(condition.source):
        assert schema.PER_FRAME[condition.source or condition.name][0] == condition.shape


def test_columns_of_tracks_are_each_one_conditions() -> None:
    columns = [column for condition in conditions.told() for column in condition.columns]
    assert len(set(columns)) == len(columns) == conditions.width(conditions.PAPER)


def test_names_that_are_unknown() -> None:
    with pytest.raises(ValueError, match="called 'audio'; there are gaze"):
        conditions.told(["audio"])
    with pytest.raises(UsageError, match="no condition is called 'gase'"):
        conditions.known_guidance({"gase": 1.0}, conditions.PAPER)
    assert conditions.known_guidance({"audio": 0.5, "gaze": 1.0, "emotion": 0.0}, ("audio", "emotion")) == {
        "audio": 0.5
    }
    assert [one.name for one in conditions.told(["emotion", "gaze"])] == ["gaze", "emotion"]
