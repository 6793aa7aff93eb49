"""One-versus-rest hinges, whose outputs take steps of their own."""

from ._folds import fold_logits
from ._hinges import SeparateHinges

__all__ = ["SeparateHinges", "fold_logits"]
