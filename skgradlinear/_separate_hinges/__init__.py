"""One-versus-rest hinges, output by output."""

from ._hinges import SeparateHinges

__all__ = ["SeparateHinges"]
