"""Tables from delimited text and Parquet files: a column of numbers, or a column of text.

Delimited text is read with the standard library alone, so that the same file gives the same columns whatever else is
installed.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from ._errors import CompareError, listed, one_line, quoted

Column = NDArray[Any]

MISSING = frozenset({"", "?", "na", "n/a", "nan", "null", "none"})
DELIMITERS = (",", "\t", ";", "|")
SAMPLE_ROWS = 50
CHUNK_ROWS = 10_000


@dataclass(frozen=True)
class Table:
    """Named columns of equal length.

    Parameters
    ----------
    names : list of str
        One name per column.
    columns : list of ndarray of shape (n,)
        Numbers with NaN where one is missing, or objects: text, and NaN where it is missing.
    notes : tuple of str
        What the reader decided and the user may want to know.
    """

    names: list[str]
    columns: list[Column]
    notes: tuple[str, ...] = ()


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong while reading a file into one line."""
    try:
        yield
    except FileNotFoundError:
        raise CompareError(f"{quoted(str(path))} does not exist.") from None
    except IsADirectoryError:
        raise CompareError(f"{quoted(str(path))} is a directory; name a file in it.") from None
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise CompareError(
            f"{quoted(str(path))} is not UTF-8 text (byte 0x{byte:02x}); save it as UTF-8, or give a CSV, Parquet, "
            ".npz or svmlight file its usual extension."
        ) from None
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise CompareError(f"{quoted(str(path))} cannot be read: {one_line(error)}.") from None


def read_delimited(path: Path, target: str | None) -> Table:
    """Columns of a CSV file (comma, tab, semicolon or bar; plain or compressed; with or without a header)."""
    with reading(path):
        dialect, first = _layout(path)
        names, has_header = _names(first, target)
        table = _Delimited(path, dialect, len(names), has_header)
        columns = table.columns()
    if not columns or not len(columns[0]):
        raise CompareError(f"{quoted(str(path))} holds a header and no rows.")
    notes = () if has_header else ("The first row holds numbers: read as data, columns are named 1, 2, ...",)
    return Table(names, columns, notes)


def open_text(path: Path) -> TextIO:
    """Text of a plain or compressed file."""
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    if path.suffix.lower() == ".bz2":
        return bz2.open(path, "rt", encoding="utf-8-sig", newline="")
    return open(path, encoding="utf-8-sig", newline="")


def _layout(path: Path) -> tuple[str, list[str]]:
    """The delimiter that splits the first rows most evenly, and the first row."""
    with open_text(path) as file:
        lines = [line for line in islice(file, SAMPLE_ROWS) if line.strip()]
    if not lines:
        raise CompareError(f"{quoted(str(path))} is empty.")
    if any("\0" in line for line in lines):
        raise CompareError(f"{quoted(str(path))} is not text (it holds NUL bytes); a table must be UTF-8 text.")
    best, most = ",", 1
    for delimiter in DELIMITERS:
        rows = [row for row in csv.reader(lines, delimiter=delimiter) if row]
        # The last row of the sample may be cut inside a quoted field.
        widths = {len(row) for row in (rows[:-1] or rows)}
        if len(widths) == 1 and max(widths) > most:
            best, most = delimiter, max(widths)
    return best, next(row for row in csv.reader(lines, delimiter=best) if row)


def _names(first: list[str], target: str | None) -> tuple[list[str], bool]:
    """Column names, and whether the first row holds them."""
    cells = [cell.strip() for cell in first]
    numbers = [_is_number(cell) for cell in cells]
    named = target in cells and not numbers[cells.index(target)]
    if any(numbers) and not named:
        return [str(position + 1) for position in range(len(cells))], False
    return cells, True


def _is_number(cell: str) -> bool:
    try:
        return not np.isnan(_number(cell, comma=False))
    except ValueError:
        return False


def _number(cell: str, comma: bool) -> float:
    """Value of a cell, NaN where it is missing; ValueError where it is text."""
    try:
        value = float(cell)
    except ValueError:
        if cell.strip().lower() in MISSING:
            return np.nan
        if comma and cell.count(",") == 1 and "." not in cell:
            return float(cell.replace(",", "."))
        raise
    if "_" in cell:  # Python reads 1_000 as a number; in a file it is a code.
        raise ValueError(cell)
    return value


class _Delimited:
    """Rows of one delimited file, read once for the numbers and once more for the text."""

    def __init__(self, path: Path, delimiter: str, n_columns: int, has_header: bool) -> None:
        self.path = path
        self.delimiter = delimiter
        self.n_columns = n_columns
        self.has_header = has_header

    def columns(self) -> list[Column]:
        """Columns in the order of the file."""
        numbers: list[list[Column] | None] = [[] for _ in range(self.n_columns)]
        comma = self.delimiter == ";"
        for chunk in self._chunks():
            for position, cells in enumerate(zip(*chunk, strict=True)):
                parts = numbers[position]
                if parts is None:
                    continue
                try:
                    parts.append(np.array([_number(cell, comma) for cell in cells]))
                except ValueError:
                    numbers[position] = None
        text = self._text([position for position, parts in enumerate(numbers) if parts is None])
        return [
            text[position] if parts is None else np.concatenate(parts or [np.empty(0)])
            for position, parts in enumerate(numbers)
        ]

    def _text(self, positions: list[int]) -> dict[int, Column]:
        if not positions:
            return {}
        cells: dict[int, list[object]] = {position: [] for position in positions}
        # One object per distinct value: a column of a few categories then costs one pointer per row.
        known: dict[str, object] = {}
        for chunk in self._chunks():
            for row in chunk:
                for position in positions:
                    cell = row[position].strip()
                    value = known.get(cell)
                    if value is None:
                        value = known[cell] = np.nan if cell.lower() in MISSING else cell
                    cells[position].append(value)
        return {position: np.array(values, dtype=object) for position, values in cells.items()}

    def _chunks(self) -> Iterator[list[list[str]]]:
        rows = self._rows()
        while chunk := list(islice(rows, CHUNK_ROWS)):
            yield chunk

    def _rows(self) -> Iterator[list[str]]:
        with open_text(self.path) as file:
            reader = csv.reader(file, delimiter=self.delimiter)
            rows = (row for row in reader if row)
            if self.has_header:
                next(rows)
            for row in rows:
                if len(row) != self.n_columns:
                    raise CompareError(
                        f"line {reader.line_num} of {quoted(str(self.path))} has {len(row)} fields where the first "
                        f"row has {self.n_columns} (separated by {self.delimiter!r}); make the rows equally long."
                    )
                yield row


def read_parquet(path: Path) -> Table:
    """Columns of a Parquet file, through polars, or pandas with pyarrow."""
    with reading(path), open(path, "rb") as file:
        if file.read(4) != b"PAR1":
            raise CompareError(f"{quoted(str(path))} is not a Parquet file (it does not start with PAR1).")
    try:
        import polars
    except ImportError:
        return _through_pandas(path)
    frame = _decoded(path, polars.read_parquet)
    columns = []
    for name in frame.columns:
        series = frame[name]
        numeric = series.dtype.is_numeric() or series.dtype == polars.Boolean
        try:
            values = series.cast(polars.Float64 if numeric else polars.String)
        except polars.exceptions.PolarsError:
            raise CompareError(f"column {quoted(name)} holds {series.dtype}; give numbers or text.") from None
        columns.append(_float_or_text(values.to_list(), numeric))
    return Table([str(name) for name in frame.columns], columns)


def _through_pandas(path: Path) -> Table:
    try:
        import pandas

        frame = _decoded(path, pandas.read_parquet)
    except ImportError:
        raise CompareError(
            "reading a Parquet file needs polars, or pandas with pyarrow: pip install polars (or save it as CSV)."
        ) from None
    columns = []
    for name in frame.columns:
        numeric = pandas.api.types.is_numeric_dtype(frame[name])
        values = [None if missing else value for value, missing in zip(frame[name], frame[name].isna(), strict=True)]
        columns.append(_float_or_text(values, numeric))
    return Table([str(name) for name in frame.columns], columns)


def _decoded(path: Path, read: Callable[[Path], Any]) -> Any:
    try:
        return read(path)
    except ImportError:
        raise
    except Exception as error:  # Each library has its own, and none of them is a fault of this program.
        raise CompareError(f"{quoted(str(path))} cannot be read as Parquet: {one_line(error)}.") from None


def _float_or_text(values: list[Any], numeric: bool) -> Column:
    if numeric:
        return np.array([np.nan if value is None else float(value) for value in values])
    return np.array([np.nan if value is None else str(value) for value in values], dtype=object)


def column_index(table: Table, name: str, option: str) -> int:
    """Position of a column, or one line that lists the columns there are."""
    found = [position for position, other in enumerate(table.names) if other == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise CompareError(f"{option} {quoted(name)}: {len(found)} columns have this name; rename all but one.")
    hint = " " + table.notes[0] if table.notes else ""
    raise CompareError(f"{option} {quoted(name)}: no such column; the columns are {listed(table.names)}.{hint}")
