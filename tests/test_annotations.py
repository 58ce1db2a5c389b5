"""Annotations hold while the tests run: types, shapes, and nothing promoted in silence (docs/development.md)."""

from typing import Self

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

from data_pipelines.synthetic.scene import background
from tests import annotations
from vasa_jax.media import VideoWriter
from vasa_jax.models.dynamics_encoder import aligned_crop, pose_terms
from vasa_jax.models.transformer import EncoderBlock
from vasa_jax.ops.directions import gaze_direction

POSE = jnp.asarray([[0, 0, 0, 0, 0, 0, 1.0]])


def test_a_wrong_shape_names_the_function_and_the_argument() -> None:
    with pytest.raises(jaxtyping.TypeCheckError, match=r"pose_terms[\s\S]*parameter 'pose'"):
        pose_terms(jnp.zeros((2, 6)))


def test_shapes_of_several_arguments_must_agree() -> None:
    assert aligned_crop(jnp.ones((1, 8, 8, 1)), POSE, 4).shape == (1, 4, 4, 1)
    with pytest.raises(jaxtyping.TypeCheckError, match="aligned_crop"):
        aligned_crop(jnp.ones((2, 8, 8, 1)), POSE, 4)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (gaze_direction, (np.zeros((2, 2), int),)),  # the type of the numbers
        (gaze_direction, (jnp.zeros((2, 2)),)),  # an array on a device, where one in memory is read
        (background, ("3", 8)),  # no array at all, in data_pipelines
        (EncoderBlock, ("2", 4.0, "float32")),  # the fields of a flax module
        (VideoWriter, (3,)),  # a method
    ],
)
def test_other_types_are_refused(function, arguments) -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        function(*arguments)


def test_checked_while_a_program_is_traced() -> None:
    with pytest.raises(jaxtyping.TypeCheckError, match="pose_terms"):
        jax.eval_shape(pose_terms, jnp.zeros((2, 6)))


def test_numpy_arrays_are_taken_for_arrays_and_whole_numbers_for_floats() -> None:
    def argument(x: jaxtyping.Float[jax.Array, "n"], y: float) -> jax.Array:
        return jnp.asarray(x) * y

    def result() -> jaxtyping.Float[jax.Array, "n"]:
        return np.zeros(3, np.float32)

    annotations.checked(argument)(np.zeros(3, np.float32), 2)
    with pytest.raises(Exception, match="violates type hint"):
        annotations.checked(argument)(np.zeros((3, 3), np.float32), 2)
    with pytest.raises(Exception, match="violates type hint"):
        annotations.checked(result)()


def test_a_methods_own_class_is_left_to_the_static_checker() -> None:
    def method(self: object, other: Self | None, count: int) -> Self:
        return other

    annotations.checked(method)(None, 3, 4)
    with pytest.raises(Exception, match="violates type hint"):
        annotations.checked(method)(None, 3, "4")


def test_nothing_is_promoted_in_silence() -> None:
    with pytest.raises(ValueError, match="dtype"):
        jnp.zeros(2, jnp.bfloat16) + jnp.zeros(2)
    with pytest.raises(ValueError, match="rank_promotion"):
        jnp.zeros((2, 3)) + jnp.zeros(3)
