"""Flags of vasa-generate that `vasa_jax.conditions` declares: --NAME for what is told, --cfg_NAME for its guidance."""

import dataclasses
from typing import Any

from absl import flags

from vasa_jax import conditions

flags.disclaim_key_flags()  # they belong to the command that calls `define`


@dataclasses.dataclass(frozen=True)
class ConditionFlags:
    """The flags by condition.

    Attributes:
      told: those that say what is asked for.
      scales: those of the guidance strengths.
    """

    told: dict[str, flags.FlagHolder]
    scales: dict[str, flags.FlagHolder]

    def controls(self) -> dict[str, Any]:
        """Arguments of `Controls`.

        Raises:
          UsageError: a flag is not of its form.
        """
        asked = {f"cfg_{name}": flag.value for name, flag in self.scales.items()}
        for name, flag in self.told.items():
            asked[name] = conditions.get(name).parse(flag.value) if isinstance(flag.value, str) else flag.value
        return asked


def define(values: flags.FlagValues = flags.FLAGS) -> ConditionFlags:
    """Defines a flag for every condition of the table, and returns them."""
    told = {}
    for one in conditions.told():
        says = f"{one.says[0].upper()}{one.says[1:]}; {one.form}, from {-one.limit:g} to {one.limit:g}."
        if one.shape:
            nothing = "" if one.named else ",".join("0" * one.width)
            told[one.name] = flags.DEFINE_string(one.name, nothing, says, flag_values=values)
        else:
            told[one.name] = flags.DEFINE_float(one.name, 0.0, says, flag_values=values)
    scales = {
        one.name: flags.DEFINE_float(f"cfg_{one.name}", one.guidance, one.guides, flag_values=values)
        for one in conditions.CONDITIONS
    }
    return ConditionFlags(told, scales)
