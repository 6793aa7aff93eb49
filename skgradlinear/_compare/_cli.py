"""Arguments, output and exit codes of ``python -m skgradlinear``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import skgradlinear

from . import _plot
from ._data import SHIPPED, load
from ._errors import CompareError
from ._evaluate import Settings, compare
from ._report import to_json, to_text

PROGRAM = "python -m skgradlinear"
MISTAKE = 2
INTERRUPTED = 130
PIPE_CLOSED = 141

DESCRIPTION = """\
Compare SoftmaxClassifier, SigmoidClassifier and LinearSVMClassifier with
scikit-learn's LogisticRegression and LinearSVC: regularization chosen by
cross-validation, accuracy and calibration on test rows, objective values,
certified gaps and fit times.
"""

FILES = """\
files:
  CSV       comma, tab, semicolon or bar; plain, .gz or .bz2; UTF-8. Columns
            of numbers only stay numbers, others are one-hot encoded. Empty
            cells, ?, NA, NaN, None and null are missing: they become the
            median of the training rows, or a category of their own. --target
            names the labels; without a header columns are called 1, 2, ...
  Parquet   as CSV; needs polars, or pandas with pyarrow
  .npz      arrays X (n, d) and y (n,) as saved by numpy.savez. Sparse rows:
            data, indices, indptr and shape of a CSR matrix A beside y, as in
            savez(file, data=A.data, indices=A.indices, indptr=A.indptr,
            shape=A.shape, y=y). --target names another array than y
  svmlight  .svmlight, .libsvm or .svm; plain, .gz or .bz2; stays sparse

exit codes: 0 done, 2 something to put right (one line says what), 130 stopped
"""


class _Parser(argparse.ArgumentParser):
    """Parser whose complaints are one line, as all others are."""

    def error(self, message: str) -> NoReturn:
        raise CompareError(f"{message} (see {self.prog} --help).")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        return _run(_parser(), argv)
    except CompareError as error:
        print(f"error: {error}", file=sys.stderr)
        return MISTAKE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except MemoryError:
        print("error: not enough memory for this data; try fewer rows or columns.", file=sys.stderr)
        return MISTAKE
    except BrokenPipeError:
        # Whoever read the output has left; the interpreter must not try again to write on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED


def _run(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> int:
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return 0
    if arguments.plot is not None:
        _plot.check(arguments.plot)
    names = ("test_size", "cv", "repeats", "seed", "threads", "quiet")
    settings = Settings(**{name: getattr(arguments, name) for name in names})
    comparison = compare(load(arguments.data, arguments.target, arguments.drop), settings)
    text = to_json(comparison) if arguments.json else to_text(comparison)
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, errors="replace").decode(encoding), flush=True)
    if arguments.plot is not None:
        _plot.draw(comparison, arguments.plot)
        settings.tell(f"Picture written to {arguments.plot}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog=PROGRAM, description="Linear classifiers whose every fit reports a proof of its optimality.")
    parser.add_argument("--version", action="version", version=f"skgradlinear {skgradlinear.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command", parser_class=_Parser)
    command = commands.add_parser(
        "compare",
        help="the estimators beside LogisticRegression and LinearSVC on real data",
        description=DESCRIPTION,
        epilog=FILES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = command.add_argument
    add("data", nargs="?", default="digits", help=f"{', '.join(SHIPPED)} or your file (default: digits)")
    add("--target", metavar="NAME", help="column (CSV, Parquet) or array (.npz) that holds the labels")
    add("--drop", metavar="NAME", action="append", default=[], help="leave a column out; may be repeated")
    add("--test-size", metavar="SHARE", type=_share, default=0.25, help="share of test rows (default: 0.25)")
    add("--cv", metavar="FOLDS", type=_at_least(2), default=5, help="folds of the search (default: 5)")
    add("--repeats", metavar="TIMES", type=_at_least(1), default=3, help="fits behind each time (default: 3)")
    add("--seed", metavar="NUMBER", type=_at_least(0), default=0, help="seed of split, folds and models (default: 0)")
    add("--threads", metavar="NUMBER", type=_at_least(1), default=1, help="threads of BLAS and OpenMP (default: 1)")
    add("--plot", metavar="FILE", type=Path, help="write reliability and loss curves (needs matplotlib)")
    add("--json", action="store_true", help="print JSON in place of the tables")
    add("--quiet", action="store_true", help="no progress on standard error")
    return parser


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share between 0 and 1")
    return value


def _at_least(smallest: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = smallest - 1
        if not smallest <= value < 2**32:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {smallest} up")
        return value

    return whole
