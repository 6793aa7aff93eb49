"""The central path of plain hinges, for the interior point method."""

from ._path import CentralPath, Waypoint

__all__ = ["CentralPath", "Waypoint"]
