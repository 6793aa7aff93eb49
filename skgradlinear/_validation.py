"""The only door: inputs of `fit` and `predict` become checked arrays, labels become integers or an indicator."""

from __future__ import annotations

import copy
import math
import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array, column_or_1d, validate_data

from .losses._base import Array, Labels

# Sums of weights whose reciprocal, and that of their squares, are far from overflow.
LEAST_TOTAL = 1e-100


@dataclass(frozen=True)
class Problem:
    """What `fit` learns from, checked.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, d)
        The rows as the user gave them, not copied unless they had to be converted.
    y : ndarray
        Class indices (n,), or an indicator (n, K) if multilabel.
    classes : ndarray
        Labels behind the indices; the output numbers if multilabel.
    sample_weight : ndarray of shape (n,)
        Weights of the rows as given, ones by default.
    weight : ndarray of shape (n,)
        Sample weights times class weights.
    multilabel : bool
        Whether `y` is an indicator.
    features : dict
        Fitted attributes that describe the columns.
    """

    X: Any
    y: Labels
    classes: Array
    sample_weight: Array
    weight: Array
    multilabel: bool
    features: dict[str, Any]


def check_problem(estimator: Any, X: Any, y: Any, sample_weight: Any, *, multilabel: bool) -> Problem:
    """The checked problem; `estimator` itself is not touched, so that a refused input leaves it as it was."""
    _check_given(y, type(estimator).__name__)
    X, features = _described_rows(estimator, X, reset=True)
    codes, classes, is_indicator = _check_labels(y, X.shape[0], multilabel)
    weight = check_weight(sample_weight, X.shape[0])
    total = weight
    if estimator.class_weight is not None:
        total = weight * _class_factors(estimator.class_weight, codes, classes, weight, is_indicator)
    _check_total(total, "the products of sample_weight and class_weight")
    _check_classes(type(estimator).__name__, codes, classes, total, is_indicator)
    return Problem(X, codes, classes, weight, total, is_indicator, features)


def check_chunk(
    estimator: Any, X: Any, y: Any, sample_weight: Any, classes: Any, *, first: bool, multilabel: bool
) -> Problem:
    """The checked chunk of a stream, without the rows that have no weight; `estimator` itself is not touched."""
    name = type(estimator).__name__
    if isinstance(estimator.class_weight, str):
        raise ValueError(
            f"class_weight={estimator.class_weight!r} needs the labels of all rows, which a stream does not have: pass "
            "a dict, for example of sklearn.utils.class_weight.compute_class_weight on labels that you know, or "
            "sample_weight."
        )
    _check_given(y, name)
    X, features = _described_rows(estimator, X, reset=first)
    indicator = multilabel and (_is_indicator(y) if first else estimator._is_multilabel())
    if indicator:
        codes, known = _check_indicator(y, X.shape[0], None if first else estimator.classes_)
        _check_same(classes, known)
    else:
        known = _first_classes(name, classes) if first else estimator.classes_
        if not first:
            _check_same(classes, known)
        codes = _codes_among(y, X.shape[0], known)
    weight = check_weight(sample_weight, X.shape[0])
    total = weight
    if estimator.class_weight is not None:
        total = weight * _class_factors(estimator.class_weight, codes, known, weight, indicator)
        _check_total(total, "the products of sample_weight and class_weight")
    if not weight.all():
        used = np.flatnonzero(weight)
        X, codes, weight, total = X[used], codes[used], weight[used], total[used]
    return Problem(X, codes, known, weight, total, indicator, features)


def _described_rows(estimator: Any, X: Any, *, reset: bool) -> tuple[Any, dict[str, Any]]:
    """`check_rows`, and the fitted attributes that describe the columns; the estimator itself is not touched."""
    with np.errstate(over="ignore", invalid="ignore"):  # see `check_rows`
        if reset and _is_plain(X):
            return X, {"n_features_in_": X.shape[1]}
    probe = copy.copy(estimator)
    X = check_rows(probe, X, reset=reset)
    names = ("n_features_in_", "feature_names_in_")
    return X, {name: getattr(probe, name) for name in names if hasattr(probe, name)}


def _is_indicator(y: Any) -> bool:
    return sp.issparse(y) or (np.ndim(y) == 2 and np.shape(y)[1] > 1)


def _check_indicator(y: Any, n_rows: int, known: Array | None) -> tuple[Labels, Array]:
    """Indicator rows and the numbers of the outputs."""
    if not _is_indicator(y):
        wanted = "two columns or more" if known is None else f"{len(known)} columns, as in the chunks before"
        raise ValueError(f"y must be an indicator of {wanted}; got shape {np.shape(y)}.")
    codes, outputs = _indicator(y, n_rows)
    if known is not None and len(outputs) != len(known):
        raise ValueError(
            f"y has {len(outputs)} columns, but the chunks before had {len(known)}; pass the same outputs."
        )
    return codes, outputs


def _indicator(y: Any, n_rows: int) -> tuple[Labels, Array]:
    """Zeros and ones, stored by columns as logits are, and the numbers of the outputs."""
    y = y.toarray() if sp.issparse(y) else check_array(y, dtype=None, input_name="y")
    _check_length(y, n_rows)
    if not np.isin(y, (0, 1)).all():
        raise ValueError(f"an indicator y must hold zeros and ones only; got {np.setdiff1d(y, (0, 1))[:3].tolist()}.")
    return y.astype(np.int8, order="F"), np.arange(y.shape[1])


def _first_classes(name: str, classes: Any) -> Array:
    """The sorted classes of a stream."""
    if classes is None:
        raise ValueError(
            f"the first call of partial_fit of {name} needs classes=, the labels of all chunks to come: those of the "
            "first chunk may not be all. np.unique(y_all) is one way to list them."
        )
    found = _sorted_unique(classes, "classes")
    if len(found) < 2:
        raise ValueError(f"classes must list at least 2 labels; got {found.tolist()}.")
    return found


def _check_same(classes: Any, known: Array) -> None:
    """Raise if classes are passed and are not those of the stream."""
    if classes is not None and not np.array_equal(_sorted_unique(classes, "classes"), known):
        raise ValueError(
            f"classes={np.asarray(classes).tolist()[:10]} is not what the model was told before, "
            f"{known.tolist()[:10]}; leave classes out, or begin anew with fit or sklearn.base.clone."
        )


def _codes_among(y: Any, n_rows: int, known: Array) -> Labels:
    """Positions of the labels among the known classes."""
    y = column_or_1d(y, warn=True)
    _check_length(y, n_rows)
    found, codes = np.unique(_comparable(y, "y"), return_inverse=True)
    place = {label: position for position, label in enumerate(known.tolist())}
    unseen = [label for label in found.tolist() if label not in place]
    if unseen:
        raise ValueError(
            f"y holds the labels {unseen[:10]}, which are none of the classes {known.tolist()[:10]} that the model was "
            "told at first; drop these rows, or begin anew with all classes."
        )
    return np.array([place[label] for label in found.tolist()], np.intp)[codes]


def _sorted_unique(labels: Any, name: str) -> Array:
    found: Array = np.unique(_comparable(column_or_1d(labels), name))
    return found


def _comparable(labels: Array, name: str) -> Array:
    """Labels that can be sorted, or a ValueError that names their types."""
    _refuse_bytes(labels, name)
    if labels.dtype.kind in "fO" and any(label != label for label in labels.tolist()):  # NaN alone differs from itself
        raise ValueError(f"{name} contains NaN; drop rows without a label.")
    kinds = {type(label) for label in labels.tolist()} if labels.dtype.kind == "O" else set()
    if len(kinds) > 1:
        raise _refused_labels(labels, TypeError("mixed types"))
    return labels


def check_rows(estimator: Any, X: Any, *, reset: bool) -> Any:
    """X as a real array or CSR matrix in its own dtype where that can be computed with."""
    # Numbers that are not finite are refused by name; that sums and casts come across them first is no news.
    with np.errstate(over="ignore", invalid="ignore"):
        if _is_plain(X) and (reset or _is_known(estimator, X.shape[1])):
            if reset:
                estimator.n_features_in_ = X.shape[1]
                estimator.__dict__.pop("feature_names_in_", None)
            return X
        X = validate_data(estimator, X, reset=reset, accept_sparse="csr", dtype="numeric", accept_large_sparse=True)
        if X.dtype.kind == "O":
            # scikit-learn before 1.9 takes the strings of pandas 3 for numbers.
            X = check_array(X, dtype="numeric", input_name="X")
        if X.dtype.kind not in "fiub":
            raise ValueError(f"X must hold numbers; got dtype {X.dtype}. Encode its columns as numbers first.")
        if X.dtype.itemsize > 8:
            X = X.astype(np.float64)
            assert_all_finite(X, input_name="X")
    if X.dtype == np.float16:
        X = X.astype(np.float32)
    return X


def _is_plain(X: Any) -> bool:
    """Whether nothing can be wrong with X: scikit-learn would take as long to find that out as small data to fit."""
    if type(X) is not np.ndarray or X.ndim != 2 or not X.size or not X.dtype.isnative:
        return False
    # A sum is finite if all entries are and it does not overflow.
    return X.dtype.kind in "iub" or (X.dtype.char in "fd" and math.isfinite(X.sum()))


def _is_known(estimator: Any, n_columns: int) -> bool:
    """Whether an estimator was fitted on so many columns without names."""
    return getattr(estimator, "n_features_in_", -1) == n_columns and not hasattr(estimator, "feature_names_in_")


def _check_labels(y: Any, n_rows: int, multilabel: bool) -> tuple[Labels, Array, bool]:
    if isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind in "iubU":
        # Nothing can be wrong with these, and finding that out would take as long as fitting small data.
        return _coded(y, n_rows)
    _refuse_bytes(y)
    try:
        with np.errstate(invalid="ignore"):  # a cast of NaN, which is refused by name
            kind = type_of_target(y, input_name="y", raise_unknown=True)
    except TypeError as error:
        raise _refused_labels(y, error) from error
    if kind == "multilabel-indicator" and multilabel:
        return *_indicator(y, n_rows), True
    check_classification_targets(y)
    if kind.startswith("multi") and kind != "multiclass":
        raise ValueError(
            f"y of type {kind!r} is not supported here: pass one label per row. SigmoidClassifier takes indicator rows."
        )
    try:
        return _coded(column_or_1d(y, warn=True), n_rows)
    except TypeError as error:
        raise _refused_labels(y, error) from error


def _coded(y: Array, n_rows: int) -> tuple[Labels, Array, bool]:
    _check_length(y, n_rows)
    if len(y) and y.dtype.kind in "iu":
        lowest, highest = int(y.min()), int(y.max())
        if highest - lowest < len(y) and highest <= np.iinfo(np.intp).max:
            # Integers in a narrow range need no sorting.
            steps = y.astype(np.intp) - lowest
            found = np.flatnonzero(np.bincount(steps))
            code = np.empty(highest - lowest + 1, np.intp)
            code[found] = np.arange(len(found))
            return code[steps], (found + lowest).astype(y.dtype), False
    classes, codes = np.unique(y, return_inverse=True)
    return codes, classes, False


def _refused_labels(y: Any, error: TypeError) -> ValueError:
    kinds = sorted({type(label).__name__ for label in np.asarray(y, dtype=object).ravel()})
    return ValueError(
        f"labels of the types {kinds} in y cannot be told apart ({error}). Use labels of one type, str or int, and "
        "drop rows without one."
    )


def _refuse_bytes(labels: Any, name: str = "y") -> None:
    """Raise for labels of bytes, which only some versions of scikit-learn take."""
    first = np.asarray(labels, dtype=object).ravel()[:1].tolist()
    if first and isinstance(first[0], bytes):
        raise ValueError(f"{name} holds bytes, such as {first[0]!r}. Convert the labels to str or int.")


def _check_given(y: Any, name: str) -> None:
    if y is None:
        raise ValueError(f"{name} requires y to be passed, but the target y is None: pass the labels.")


def _check_length(y: Any, n_rows: int) -> None:
    if len(y) != n_rows:
        raise ValueError(
            f"X and y have inconsistent numbers of samples: {n_rows} rows in X, {len(y)} in y. Pass one label per row."
        )


def check_weight(sample_weight: Any, n_rows: int) -> Array:
    """Sample weights as float64 numbers >= 0, not all zero; ones by default. Never the caller's own array."""
    if sample_weight is None:
        return np.ones(n_rows)
    if isinstance(sample_weight, numbers.Number):
        sample_weight = np.full(n_rows, sample_weight, dtype=np.float64)
    weight: Array = check_array(sample_weight, dtype=np.float64, ensure_2d=False, input_name="sample_weight", copy=True)
    if weight.ndim != 1 or len(weight) != n_rows:
        raise ValueError(f"sample_weight must have shape ({n_rows},), one number per row of X; got {weight.shape}.")
    if (weight < 0).any():
        raise ValueError(f"Negative values in data passed to sample_weight: got {weight.min():g}; weights are >= 0.")
    _check_total(weight, "sample_weight")
    return weight


def _check_total(weight: Array, name: str) -> None:
    with np.errstate(over="ignore"):  # an infinite total is refused below
        total = float(weight.sum())
    if not total:
        raise ValueError(f"every weight in {name} is zero: no row is left to learn from; pass some positive weight.")
    if not LEAST_TOTAL <= total <= 1 / LEAST_TOTAL:
        raise ValueError(
            f"the sum of {name} is {total:g}, outside {LEAST_TOTAL:g} .. {1 / LEAST_TOTAL:g}; multiply the weights by "
            "a constant."
        )


def _check_classes(name: str, codes: Labels, classes: Array, weight: Array, multilabel: bool) -> None:
    seen = len(classes) if multilabel else np.count_nonzero(np.bincount(codes, weight, len(classes)))
    if multilabel or seen > 1:
        return
    label = classes[codes[weight > 0][:1]].tolist()[0]
    raise ValueError(
        f"{name} needs samples of at least 2 classes with positive weight (sample_weight times class_weight), but the "
        f"data contains only one class: {label!r}. Pass rows of another class."
    )


def _class_factors(class_weight: Any, codes: Labels, classes: Array, weight: Array, multilabel: bool) -> Array:
    """Factor of each row for its class."""
    if multilabel:
        raise ValueError(
            "class_weight has no meaning for multilabel y, where a row has no one class; use sample_weight."
        )
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ValueError(f"class_weight must be a dict, 'balanced' or None; got {class_weight!r}.")
        mass = np.bincount(codes, weight, len(classes))
        used = mass > 0
        factors: Array = np.zeros(len(classes))
        factors[used] = weight.sum() / (used.sum() * mass[used])
    else:
        factors = _factors_from_dict(class_weight, classes)
    return factors[codes]


def _factors_from_dict(class_weight: Any, classes: Array) -> Array:
    if not hasattr(class_weight, "items"):
        raise ValueError(f"class_weight must be a dict, 'balanced' or None; got {class_weight!r}.")
    known = classes.tolist()
    unknown = [label for label in class_weight if label not in known]
    if unknown:
        raise ValueError(f"class_weight names {unknown}, which is none of the classes {known[:10]}; remove it.")
    factors = np.ones(len(classes))
    for label, value in class_weight.items():
        if not isinstance(value, numbers.Real) or not 0 <= float(value) < np.inf:
            raise ValueError(f"class_weight of {label!r} must be a finite number >= 0; got {value!r}.")
        factors[known.index(label)] = value
    return factors


def check_parameters(estimator: Any, solvers: set[str], objects: type) -> None:
    """Raise for a constructor parameter of the wrong type or out of range; the message names the value."""
    alpha = estimator.alpha
    if isinstance(alpha, str):
        if alpha != "scale":
            raise ValueError(f"alpha must be 'scale' or a number >= 0; got {alpha!r}.")
    else:
        _check_number("alpha", alpha, numbers.Real, 0.0, "'scale' or a finite number >= 0")
    _check_number("tol", estimator.tol, numbers.Real, 0.0, "a finite number > 0", strict=True)
    _check_number("max_iter", estimator.max_iter, numbers.Integral, 1, "an integer >= 1")
    _check_number("verbose", estimator.verbose, (numbers.Integral, np.bool_), 0, "an integer >= 0")
    for name in ("fit_intercept", "warm_start"):
        if not isinstance(getattr(estimator, name), (bool, np.bool_)):
            raise TypeError(f"{name} must be True or False; got {getattr(estimator, name)!r}.")
    standardize = estimator.standardize
    if not (isinstance(standardize, (bool, np.bool_)) or (isinstance(standardize, str) and standardize == "auto")):
        raise ValueError(f"standardize must be 'auto', True or False; got {standardize!r}.")
    if isinstance(estimator.solver, str):
        check_option(estimator, "solver", solvers | {"auto"})
    elif not isinstance(estimator.solver, objects):
        raise TypeError(
            f"solver must be one of {sorted(solvers | {'auto'})} or a solver object such as SGD(); got "
            f"{estimator.solver!r} of type {type(estimator.solver).__name__}."
        )
    _check_seed(estimator.random_state)


def check_option(estimator: Any, name: str, options: set[Any]) -> None:
    """Raise unless the parameter is one of some strings (or other constants)."""
    value = getattr(estimator, name)
    if not any(value is option or (isinstance(value, str) and value == option) for option in options):
        raise ValueError(f"{name} must be one of {sorted(options, key=str)}; got {value!r}.")


def check_folds(cv: Any) -> None:
    """Raise unless `cv` is a number of folds, a splitter or an iterable of splits."""
    wanted = "an integer >= 2, a splitter or an iterable of splits"
    if isinstance(cv, numbers.Number):
        _check_number("cv", cv, numbers.Integral, 2, wanted)
    elif isinstance(cv, str) or not (hasattr(cv, "split") or hasattr(cv, "__iter__")):
        raise TypeError(f"cv must be {wanted}; got {cv!r} of type {type(cv).__name__}.")


def _check_seed(random_state: Any) -> None:
    """Raise unless `random_state` is None, an integer or a generator in scikit-learn's sense."""
    is_integer = isinstance(random_state, numbers.Integral)
    if is_integer and not 0 <= random_state < 2**32:
        raise ValueError(f"random_state must be an integer in [0, 2**32), a RandomState or None; got {random_state!r}.")
    if not is_integer and random_state is not None and not isinstance(random_state, np.random.RandomState):
        raise TypeError(
            f"random_state must be an integer, a RandomState or None; got {random_state!r} of type "
            f"{type(random_state).__name__}."
        )


def _check_number(name: str, value: Any, kind: Any, low: float, wanted: str, *, strict: bool = False) -> None:
    is_flag = isinstance(value, (bool, np.bool_)) and name != "verbose"
    if not isinstance(value, kind) or is_flag:
        raise TypeError(f"{name} must be {wanted}; got {value!r} of type {type(value).__name__}.")
    largest = np.finfo(np.float64).max
    if not (low < value <= largest if strict else low <= value <= largest):
        raise ValueError(f"{name} must be {wanted}; got {value!r}.")
