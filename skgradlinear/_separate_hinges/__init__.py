"""One-versus-rest hinges, output by output."""

from ._folds import fold_logits
from ._hinges import SeparateHinges

__all__ = ["SeparateHinges", "fold_logits"]
