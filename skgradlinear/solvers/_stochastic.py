"""What SGD and Adam share: mini-batches."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from ._first_order import USUAL_BATCH, FirstOrder
from ._solver import check_flag, check_integer


class Stochastic(FirstOrder):
    """A solver that takes a step for every mini-batch: abstract."""

    batch_size: Any
    averaging: bool

    def _check_rule(self) -> None:
        name = type(self).__name__
        check_flag(f"averaging of {name}", self.averaging)
        if isinstance(self.batch_size, str):
            if self.batch_size != "auto":
                raise ValueError(f"batch_size of {name} must be 'auto' or an integer >= 1; got {self.batch_size!r}.")
        else:
            check_integer(f"batch_size of {name}", self.batch_size, 1)
        self._check_moments()

    @abstractmethod
    def _check_moments(self) -> None:
        """Raise for a parameter of the rule of a step that is out of range."""

    def _size_of_batches(self, n_rows: int) -> int:
        return min(USUAL_BATCH, n_rows) if isinstance(self.batch_size, str) else int(self.batch_size)

    def _is_averaging(self) -> bool:
        return bool(self.averaging)
