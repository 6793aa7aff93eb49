"""The model in what a display is given."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ..estimators._base import LinearClassifier


def linear_model(estimator: Any) -> LinearClassifier:
    """The estimator, or the last step of a pipeline, if it is one of this package's."""
    model = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    if not isinstance(model, LinearClassifier):
        raise TypeError(
            "estimator must be a SoftmaxClassifier, SigmoidClassifier or LinearSVMClassifier, or a pipeline that ends "
            f"in one; got {type(model).__name__}."
        )
    return model


def fitted_model(estimator: Any) -> LinearClassifier:
    """The same, fitted."""
    model = linear_model(estimator)
    check_is_fitted(model)
    return model


def outputs_of(model: LinearClassifier) -> list[str]:
    """What each row of coefficients speaks for."""
    names = [str(label) for label in model.classes_.tolist()]
    if len(model.coef_) == 1:
        return [f"{names[1]} (against {names[0]})"]
    return [f"label {name}" for name in names] if model._is_multilabel() else names


def check_option(name: str, value: Any, options: tuple[str, ...]) -> None:
    """Raise unless the value is one of some strings."""
    if value not in options:
        raise ValueError(f"{name} must be one of {list(options)}; got {value!r}.")


def check_integer(name: str, value: Any, *, least: int) -> None:
    """Raise unless the value is an integer that is large enough."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be an integer >= {least}; got {value!r}.")
