"""The central path of hinges, for the interior point method."""

from ._folds import fold_logits
from ._path import CentralPath, Waypoint

__all__ = ["CentralPath", "Waypoint", "fold_logits"]
