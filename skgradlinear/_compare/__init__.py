"""The command ``python -m skgradlinear compare``: the estimators beside scikit-learn's, on real data."""

from ._cli import main

__all__ = ["main"]
