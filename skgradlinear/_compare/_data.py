"""Rows and labels of a data set that ships with scikit-learn or of the user's own file."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_svmlight_file, load_wine

from ._errors import CompareError, listed, one_line, quoted, shortened
from ._tables import Column, Table, column_index, open_text, read_delimited, read_parquet, reading

Labels = NDArray[Any]

SHIPPED = {"digits": load_digits, "iris": load_iris, "wine": load_wine, "breast_cancer": load_breast_cancer}
DELIMITED = (".csv", ".tsv", ".txt", ".data", ".tab")
SVMLIGHT = (".svmlight", ".libsvm", ".svm")
CSR_ARRAYS = ("data", "indices", "indptr", "shape")
LARGEST_INTEGER = 2.0**53
LARGEST_DENSE = 20_000_000


@dataclass(frozen=True)
class Dataset:
    """Rows and labels.

    Parameters
    ----------
    name : str
        What the tables call it.
    X : ndarray or csr_matrix of shape (n, d)
        Numbers, or objects where some columns hold text.
    y : ndarray of shape (n,)
        Labels, integers or text.
    names : tuple of str
        One name per column; empty where the columns have none.
    text : tuple of int
        Positions of the columns of text.
    dense : bool
        Whether the encoded columns are small enough for a dense matrix.
    notes : tuple of str
        What was decided while reading.
    """

    name: str
    X: Any
    y: Labels
    names: tuple[str, ...] = ()
    text: tuple[int, ...] = ()
    dense: bool = True
    notes: tuple[str, ...] = ()

    @property
    def numeric(self) -> tuple[int, ...]:
        """Positions of the columns of numbers."""
        return tuple(position for position in range(self.X.shape[1]) if position not in set(self.text))


def load(source: str, target: str | None, drop: Sequence[str] = ()) -> Dataset:
    """Data set of this name or in this file."""
    path = Path(source).expanduser()
    if source in SHIPPED and not path.is_file():
        for option, value in (("--target", target), ("--drop", drop)):
            if value:
                raise CompareError(f"{option} is for your own file; {source} has its labels. Leave {option} out.")
        X, y = SHIPPED[source](return_X_y=True)
        return Dataset(source, X, y)
    if not path.exists():
        raise CompareError(f"{quoted(source)} is neither a file nor one of {', '.join(SHIPPED)}.")
    name = shortened(path.name, 40)
    kind = _kind(path)
    if kind in ("csv", "parquet"):
        table = read_parquet(path) if kind == "parquet" else read_delimited(path, target)
        return _from_table(name, table, target, drop)
    if drop:
        raise CompareError(f"--drop needs a table with named columns (CSV or Parquet); {quoted(path.name)} has none.")
    return _from_npz(name, path, target or "y") if kind == "npz" else _from_svmlight(name, path, target)


def _kind(path: Path) -> str:
    """Format of a file, from its extension, or from its beginning where the extension says nothing."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    suffix = suffixes[-2] if len(suffixes) > 1 and suffixes[-1] in (".gz", ".bz2") else "".join(suffixes[-1:])
    if suffix in (".parquet", ".pq"):
        return "parquet"
    if suffix == ".npz":
        return "npz"
    if suffix in SVMLIGHT:
        return "svmlight"
    if suffix in DELIMITED:
        return "csv"
    with reading(path):
        with open(path, "rb") as file:
            start = file.read(4)
        if start == b"PAR1":
            return "parquet"
        if start == b"PK\x03\x04":
            return "npz"
        with open_text(path) as text:
            fields = text.readline().split("#")[0].split()
    pairs = [field.partition(":") for field in fields[1:]]
    return "svmlight" if pairs and all(index.isdigit() and value for index, _, value in pairs) else "csv"


def _from_table(name: str, table: Table, target: str | None, drop: Sequence[str]) -> Dataset:
    if target is None:
        raise CompareError(f"say which column holds the labels with --target; the columns are {listed(table.names)}.")
    label = column_index(table, target, "--target")
    left_out = {label} | {column_index(table, other, "--drop") for other in drop}
    notes = list(table.notes)
    values = table.columns[label]
    known = ~_missing(values)
    if not known.any():
        raise CompareError(f"column {quoted(target)} holds no label: every row is empty.")
    if not known.all():
        notes.append(f"{(~known).sum()} rows without a label are left out.")
    kept, positions = [], []
    for position, column in enumerate(table.columns):
        if position in left_out:
            continue
        if _missing(column[known]).all():
            notes.append(f"Column {quoted(table.names[position])} is empty and left out.")
            continue
        kept.append(column[known])
        positions.append(position)
    if not kept:
        raise CompareError(f"no column is left beside the labels {quoted(target)}; give at least one more.")
    names = tuple(table.names[position] for position in positions)
    text = tuple(position for position, column in enumerate(kept) if column.dtype == object)
    width = _encoded_width(names, kept, notes)
    # One-hot columns are worth a sparse matrix where there are many of them and a dense one is large.
    dense = len(kept[0]) * width <= LARGEST_DENSE or width <= 2 * len(kept)
    X = np.empty((len(kept[0]), len(kept)), dtype=object if text else np.float64)
    for position, column in enumerate(kept):
        _check_finite(column, f"column {quoted(names[position])}")
        X[:, position] = column
    y = _labels(values[known], f"column {quoted(target)}")
    return Dataset(name, X, y, names, text, dense, tuple(notes))


def _encoded_width(names: Sequence[str], columns: Sequence[Column], notes: list[str]) -> int:
    """Number of columns after one-hot encoding; identifiers are pointed out."""
    width = 0
    for name, column in zip(names, columns, strict=True):
        if column.dtype != object:
            width += 1
            continue
        distinct = len(set(column[~_missing(column)]))
        width += distinct
        if len(column) >= 20 and distinct > len(column) / 2:
            notes.append(
                f"Column {quoted(name)} has {distinct} values in {len(column)} rows; "
                f"if it is an identifier, leave it out with --drop."
            )
    return width


def _from_npz(name: str, path: Path, target: str) -> Dataset:
    arrays = _npz_arrays(path)
    where = f"{quoted(path.name)}"
    if target not in arrays:
        raise CompareError(
            f"{where} holds no labels {quoted(target)} (name their array with --target); it holds {listed(arrays)}."
        )
    if all(key in arrays for key in CSR_ARRAYS):
        X: Any = _csr(arrays, where)
    elif "X" in arrays:
        X = arrays["X"]
    else:
        raise CompareError(
            f"{where} holds {listed(arrays)}; expected the rows as 'X', or as data, indices, indptr and shape (CSR)."
        )
    if X.dtype.kind not in "fiub" or X.ndim != 2 or 0 in X.shape:
        raise CompareError(
            f"X in {where} has dtype {X.dtype} and shape {X.shape}; expected numbers in rows and columns."
        )
    y = arrays[target]
    if y.ndim != 1 or len(y) != X.shape[0]:
        raise CompareError(f"{quoted(target)} in {where} has shape {y.shape}; expected ({X.shape[0]},), one per row.")
    X = X.astype(np.float64)
    if not sp.issparse(X) and np.isnan(X).all(axis=0).any():
        raise CompareError(f"X in {where} has a column without any number; leave it out.")
    return _finite(name, X, _labels(y, f"{quoted(target)} in {where}"), where)


def _npz_arrays(path: Path) -> Mapping[str, NDArray[Any]]:
    try:
        with reading(path), open(path, "rb") as raw:
            if raw.read(2) != b"PK":
                raise CompareError(f"{quoted(str(path))} is not an .npz file; save rows and labels with numpy.savez.")
            raw.seek(0)
            with np.load(raw, allow_pickle=False) as file:
                return {key: file[key] for key in file.files}
    except (ValueError, zipfile.BadZipFile, KeyError, TypeError) as error:
        raise CompareError(f"{quoted(str(path))} cannot be read as .npz: {one_line(error)}") from None


def _csr(arrays: Mapping[str, NDArray[Any]], where: str) -> Any:
    stored = arrays.get("format")
    if stored is not None and stored.item() not in (b"csr", "csr"):
        raise CompareError(f"the matrix in {where} is stored as {quoted(stored.item())}; save it as CSR (A.tocsr()).")
    try:
        matrix = sp.csr_matrix(tuple(arrays[key] for key in CSR_ARRAYS[:3]), shape=tuple(map(int, arrays["shape"])))
        matrix.check_format()
    except (ValueError, TypeError) as error:
        raise CompareError(f"the CSR arrays in {where} do not fit together: {one_line(error)}.") from None
    return matrix


def _from_svmlight(name: str, path: Path, target: str | None) -> Dataset:
    if target is not None:
        raise CompareError(
            f"--target is not for svmlight files: each line starts with its label ({quoted(path.name)})."
        )
    where = quoted(path.name)
    try:
        with reading(path):
            X, y = load_svmlight_file(str(path))
    except (ValueError, IndexError, OverflowError) as error:
        raise CompareError(f"{where} cannot be read as svmlight: {one_line(error)}.") from None
    if 0 in X.shape:
        raise CompareError(f"{where} holds {X.shape[0]} rows of {X.shape[1]} columns; give at least one of each.")
    return _finite(name, X, _labels(y, f"the label in {where}"), where)


def _finite(name: str, X: Any, y: Labels, where: str) -> Dataset:
    if sp.issparse(X) and not np.isfinite(X.data).all():
        raise CompareError(f"X in {where} holds NaN or infinity; a sparse matrix must be finite.")
    if not sp.issparse(X):
        _check_finite(X, f"X in {where}")
    return Dataset(name, X, y, dense=not sp.issparse(X))


def _check_finite(values: Column, where: str) -> None:
    if values.dtype != object and np.isinf(values).any():
        raise CompareError(f"{where} holds infinity; replace it by a number or leave the cell empty.")


def _missing(values: Column) -> NDArray[np.bool_]:
    missing: NDArray[np.bool_] = values != values
    return missing.astype(bool)


def _labels(values: Column, where: str) -> Labels:
    """Labels as integers or text; one line where they are quantities."""
    if values.dtype.kind == "f":
        odd = ~(np.isfinite(values) & (np.abs(values) < LARGEST_INTEGER))
        odd |= np.where(odd, 0, values) % 1 != 0
        if odd.any():
            raise CompareError(
                f"{where} holds {values[odd][0]:g}: a quantity, not a class. Labels are text or whole numbers."
            )
        return values.astype(np.int64)
    if values.dtype.kind not in "iubUO" or (values.dtype == object and not all(isinstance(v, str) for v in values)):
        raise CompareError(f"{where} has dtype {values.dtype}; labels are text or whole numbers.")
    return values.astype(str) if values.dtype == object else values
