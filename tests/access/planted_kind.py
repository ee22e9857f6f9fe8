"""A kind of planted change: what is done to a generated file, and whether it only admits more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.access.generated_files import Plan

Plant = Callable[[Plan, Random], bool | None]
"""Changes the plan. Returns whether NEW admits more and nothing less, None if the change does not apply to the plan."""


@dataclass(frozen=True)
class Kind:
    """One kind of change."""

    name: str
    plant: Plant
    is_mixed: bool = False
    """Whether every change of the kind can also refuse somebody."""


class Kinds(list[Kind]):
    """Kinds in the order of their definition."""

    def named(self, name: str, *, is_mixed: bool = False) -> Callable[[Plant], Plant]:
        """Decorate the function of a kind."""

        def add(plant: Plant) -> Plant:
            self.append(Kind(name, plant, is_mixed))
            return plant

        return add
