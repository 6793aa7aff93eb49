"""Weights to start from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._result import Array

if TYPE_CHECKING:
    from .._objective import Objective

NAMED = ("zeros", "he", "xavier", "uniform")


def check_init(solver: str, init: Any) -> None:
    """Raise unless `init` is a name or an array of finite numbers."""
    if isinstance(init, str):
        if init not in NAMED:
            raise ValueError(f"init of {solver} must be one of {list(NAMED)} or an array (d + 1, K); got {init!r}.")
        return
    array = np.asarray(init)
    if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise ValueError(f"init of {solver} must be one of {list(NAMED)} or an array of finite numbers; got {init!r}.")


def first_params(init: Any, objective: Objective, rng: np.random.Generator) -> Array:
    """Parameters (d + 1, K) in standardized units; the bias of a named start is zero.

    "he" draws from a normal distribution of variance 2 / d (He et al., 2015, equation 10), "xavier" from a uniform one
    on +-sqrt(6 / (d + K)) (Glorot & Bengio, 2010, equation 16), "uniform" on +-1 / sqrt(d) (their equation 1).
    """
    params = objective.zeros()
    d, n_outputs = params.shape[0] - 1, params.shape[1]
    if not isinstance(init, str):
        given = np.asarray(init, np.float64)
        if given.shape != params.shape:
            raise ValueError(f"init must have shape {params.shape}, (d + 1, K), for this problem; got {given.shape}.")
        params[:] = given
        params[-1] *= objective.fit_intercept
    elif init == "he":
        params[:-1] = rng.normal(0.0, np.sqrt(2 / d), (d, n_outputs))
    elif init != "zeros":
        limit = np.sqrt(6 / (d + n_outputs)) if init == "xavier" else 1 / np.sqrt(d)
        params[:-1] = rng.uniform(-limit, limit, (d, n_outputs))
    # Constant columns say nothing, and a common shift of the classes costs penalty alone.
    params[:-1][objective.standardization.deviation == 0] = 0.0
    return objective.free_of_shift(params)
