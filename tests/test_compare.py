"""The command ``python -m skgradlinear compare``."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import warnings
from collections import Counter
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.compose import ColumnTransformer
from sklearn.datasets import dump_svmlight_file, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import skgradlinear
from skgradlinear import LinearSVMClassifier, SigmoidClassifier, SoftmaxClassifier
from skgradlinear._compare import _cli, _data, _evaluate, _measures, _models, _report, main
from skgradlinear._compare._data import Dataset, load
from skgradlinear._compare._errors import CompareError

MODELS = ["SoftmaxClassifier", "SigmoidClassifier", "LinearSVMClassifier", "LogisticRegression", "LinearSVC"]
OURS = MODELS[:3]
# Forty rows of a number and a label.
LABELS = "".join(f"{row / 7},{'ab'[row % 2]}\n" for row in range(40))
QUICK = ["--cv", "2", "--repeats", "1"]


def table_text(n: int = 120, seed: int = 0) -> str:
    """CSV with numbers, text, both with missing cells, a quoted comma and text labels."""
    rng = np.random.default_rng(seed)
    lines = ["a rather long name of a column,city,weight,label"]
    for row in range(n):
        label = row % 3
        age = "" if row % 11 == 0 else f"{rng.normal(10 * label, 6):.2f}"
        city = "?" if row % 13 == 0 else ("Oslo", '"Rome, IT"', "Bern")[(label + (row % 4 == 0)) % 3]
        lines.append(f"{age},{city},{rng.normal():.3f},{('low', 'mid', 'high')[label]}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / ("a_file_with_a_name_that_would_not_fit_" * 3 + ".csv")
    path.write_text(table_text(), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def record() -> dict:
    """The JSON of one run on iris."""
    with redirect_stdout(StringIO()) as printed:
        assert main(["compare", "iris", "--json", "--quiet", "--cv", "3", "--repeats", "1"]) == 0
    return json.loads(printed.getvalue())


# ---------------------------------------------------------------------------------------------------- tables and JSON


def test_json_has_one_record_per_model_with_every_number(record: dict) -> None:
    assert list(record) == ["data", "settings", "versions", "models", "same_objective", "notes"]
    assert [model["model"] for model in record["models"]] == MODELS
    assert record["data"]["train_rows"] + record["data"]["test_rows"] == 150
    assert record["data"]["classes"] == [0, 1, 2]
    assert record["versions"]["skgradlinear"] == skgradlinear.__version__
    for model in record["models"]:
        (parameter,) = model["parameter"]
        assert parameter == ("alpha" if model["model"] in OURS else "C")
        assert 0.8 < model["cv_accuracy"] <= 1
        assert 0.8 < model["test_accuracy"] <= 1
        assert 0 < model["log_loss"] < np.log(3)
        assert 0 < model["brier_score"] < 2 / 3
        assert 0 <= model["ece"] <= 1
        assert model["fit_seconds"] > 0


def test_only_the_package_is_certified_and_its_own_value_is_confirmed(record: dict) -> None:
    for model in record["models"]:
        own = model["objective"]
        if model["model"] in OURS:
            assert own["reported_by_model"] == pytest.approx(own["value"], rel=1e-6)
            assert 0 <= model["certified_gap"] < 0.01
        else:
            assert own["reported_by_model"] is None
            assert model["certified_gap"] is None


def test_times_compare_at_the_same_objective(record: dict) -> None:
    same = record["same_objective"]
    ours, *rivals = same["runs"]
    assert ours["model"] == "SoftmaxClassifier"
    assert ours["time_ratio"] == 1
    assert ours["suboptimality"] <= ours["certified_gap"] + 1e-12
    reached = [run for run in rivals if run["reached_target"]]
    assert reached
    for run in reached:
        assert run["suboptimality"] <= same["target_suboptimality"]
        assert run["objective"] == pytest.approx(ours["objective"], rel=2 * same["target_suboptimality"])
        assert run["time_ratio"] == pytest.approx(np.median(run["seconds"]) / np.median(ours["seconds"]))


def test_tables_fit_80_columns_and_progress_goes_to_stderr(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(table), "--target", "label", *QUICK]) == 0
    captured = capsys.readouterr()
    assert max(map(len, captured.out.splitlines())) <= 80
    for name in MODELS:
        rows = [line for line in captured.out.splitlines() if line.startswith(name + " ")]
        assert len(rows) >= 2
    (gap,) = [line.split()[-1] for line in captured.out.splitlines() if line.startswith("LinearSVC  ") and "*" in line]
    assert gap == "-"
    assert "[1/5] SoftmaxClassifier" in captured.err
    assert "[1/5]" not in captured.out


def test_extreme_numbers_fit_80_columns() -> None:
    widest = ("LinearSVMClassifier", "one-vs-rest squared hinge*", "1.23e-05", "0.000123456", "1.2e-05")
    text = _report._section("title", ("model", "objective", "alpha", "value", "gap"), [widest], "word " * 40)
    assert max(map(len, text.splitlines())) <= 80
    run = ("LogisticRegression", "newton-cholesky", "1e-04", "0.0001234567", "1.2e-05", _report._seconds(0.1), "12.34")
    names = ("model", "solver", "tol", "value", "above best", "fit s", "ratio")
    assert max(map(len, _report._section("title", names, [run], "").splitlines())) <= 80


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.00123, "0.0012"), (1.2345, "1.23"), (98.764, "98.76"), (1234.5, "1234")]
)
def test_seconds_take_six_characters_at_most(seconds: float, text: str) -> None:
    assert _report._seconds(seconds) == text


def test_the_same_seed_gives_the_same_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    dataset = load("wine", None)
    settings = _evaluate.Settings(cv=2, repeats=1, seed=3, quiet=True)
    first, second = (_evaluate.split(dataset, settings) for _ in range(2))
    np.testing.assert_array_equal(first.X, second.X)
    alphas = _models.alpha_grid(first.X)
    for entry in _models.contenders(dataset, 3)[::3]:
        found = [_evaluate._search(entry, entry.grid(alphas, len(first.y)), first, settings) for _ in range(2)]
        assert found[0].parameter == found[1].parameter
        assert found[0].cv_accuracy == found[1].cv_accuracy
    assert capsys.readouterr().err == ""


# ------------------------------------------------------------------------------------------------------ nothing leaks


def test_every_pipeline_preprocesses_inside(table: Path) -> None:
    dataset = load(str(table), "label")
    assert dataset.text == (1,)
    for entry in _models.contenders(dataset, 0):
        assert isinstance(entry.pipeline, Pipeline)
        assert isinstance(entry.pipeline.steps[0][1], ColumnTransformer)


def test_medians_and_categories_come_from_training_rows_only() -> None:
    X = np.array([[1.0, "a"], [3.0, "b"], [np.nan, "a"], [100.0, "only in the test rows"]], dtype=object)
    dataset = Dataset("small", X, np.array([0, 1, 0, 1]), ("number", "text"), (1,))
    columns = _models.preprocessing(dataset).fit(X[:3])
    np.testing.assert_array_equal(columns.transform(X[:3]), [[1, 1, 0], [3, 0, 1], [2, 1, 0]])
    np.testing.assert_array_equal(columns.transform(X[3:]), [[100, 0, 0]])


def test_many_categories_stay_sparse() -> None:
    X = np.array([[1.0, "a"], [3.0, "b"], [np.nan, np.nan], [4.0, "b"]], dtype=object)
    dataset = Dataset("wide", X, np.array([0, 1, 0, 1]), ("number", "text"), (1,), dense=False)
    rows = _models.encoded(_models.preprocessing(dataset), X)
    assert sp.issparse(rows)
    assert rows.shape == (4, 4)
    assert "scale" not in _models.contenders(dataset, 0)[-1].pipeline.named_steps


def test_only_many_categories_make_a_large_table_sparse(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numbers.csv").write_text("x,y\n" + LABELS)
    (tmp_path / "names.csv").write_text("x,name,y\n" + "".join(f"1,n{row},{row % 2}\n" for row in range(40)))
    monkeypatch.setattr(_data, "LARGEST_DENSE", 10)
    assert load(str(tmp_path / "numbers.csv"), "y").dense
    assert load(str(table), "label").dense
    assert not load(str(tmp_path / "names.csv"), "y").dense


def test_all_models_search_the_same_range() -> None:
    X, y = load_iris(return_X_y=True)
    dataset = Dataset("iris", X, y)
    alphas = _models.alpha_grid(X)
    assert min(alphas) == pytest.approx(max(alphas) / 1e4, rel=0.01)
    # The rule for standardized columns: as many as are not constant, over 20 n.
    assert alphas[0] == pytest.approx(4 / (20 * len(X)), rel=0.005)
    for entry in _models.contenders(dataset, 0):
        ((name, values),) = entry.grid(alphas, len(X)).items()
        found = values if name == "model__alpha" else [1 / (C * len(X)) for C in values]
        np.testing.assert_allclose(found, alphas)


def test_the_rule_for_sparse_columns_is_their_variance() -> None:
    rows = sp.random(50, 7, density=0.3, format="csr", random_state=0)
    expected = rows.toarray().var(axis=0).sum() / (20 * 50)
    assert _models.alpha_grid(rows)[0] == pytest.approx(expected, rel=0.005)


# ----------------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("comma.csv", 'x,colour,y\n1.5,red,a\n,"red, dark",b\n-2e3,?,a\n'),
        ("semicolon.csv", "x;colour;y\n1,5;red;a\n;red, dark;b\n-2e3;NA;a\n"),
        ("tab.tsv", "x\tcolour\ty\n1.5\tred\ta\nnan\tred, dark\tb\n-2000\t\ta\n"),
        ("bar.txt", "\ufeffx|colour|y\r\n1.5|red|a\r\n\r\nNone|red, dark|b\r\n-2000|null|a\r\n"),
    ],
)
def test_delimited_text(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8", newline="")
    dataset = load(str(path), "y")
    assert dataset.names == ("x", "colour")
    assert dataset.text == (1,)
    np.testing.assert_array_equal(dataset.X[:, 0].astype(float), [1.5, np.nan, -2000])
    assert list(dataset.X[:2, 1]) == ["red", "red, dark"]
    assert np.isnan(dataset.X[2, 1])
    assert list(dataset.y) == ["a", "b", "a"]


def test_a_file_without_header_names_columns_by_position(tmp_path: Path) -> None:
    path = tmp_path / "plain.data.gz"
    with gzip.open(path, "wt") as file:
        file.write("5.1,3.5,setosa\n4.9,3.0,virginica\n")
    dataset = load(str(path), "3")
    assert dataset.names == ("1", "2")
    np.testing.assert_array_equal(dataset.X, [[5.1, 3.5], [4.9, 3.0]])
    assert any("first row" in note for note in dataset.notes)


def test_numbers_as_column_names_are_a_header_when_the_target_is_among_them(tmp_path: Path) -> None:
    path = tmp_path / "years.csv"
    path.write_text("2023,2024,kind\n1,2,a\n3,4,b\n")
    assert load(str(path), "kind").names == ("2023", "2024")


def test_codes_with_underscores_are_text_and_long_files_are_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    # The text starts after the first block of rows.
    path.write_text("x,z,y\n" + "1,2,0\n" * 12_000 + "1_000,2,1\n")
    dataset = load(str(path), "y")
    assert dataset.text == (0,)
    assert dataset.X.shape == (12_001, 2)
    assert dataset.X[0, 0] == "1"
    assert dataset.y.dtype.kind == "i"


def test_rows_without_label_empty_columns_and_dropped_columns_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "gaps.csv"
    path.write_text("id,x,empty,y\n" + "".join(f"r{row},{row},,{row % 2 if row else ''}\n" for row in range(30)))
    dataset = load(str(path), "y")
    assert dataset.names == ("id", "x")
    assert len(dataset.y) == 29
    assert [sum(word in note for note in dataset.notes) for word in ("label", "empty", "--drop")] == [1, 1, 1]
    assert load(str(path), "y", ["id"]).names == ("x",)


def test_parquet_equals_csv(table: Path, tmp_path: Path) -> None:
    import polars

    frame = polars.read_csv(table, null_values=["?", ""])
    frame.write_parquet(tmp_path / "same.parquet")
    expected, found = load(str(table), "label"), load(str(tmp_path / "same.parquet"), "label")
    assert found.names == expected.names
    assert found.text == expected.text
    np.testing.assert_array_equal(found.y, expected.y)
    for column in range(3):
        kind = str if column == 1 else float
        np.testing.assert_array_equal(found.X[:, column].astype(kind), expected.X[:, column].astype(kind))


def test_parquet_through_pandas(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pandas

    path = tmp_path / "same.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "polars", None)
    monkeypatch.setattr(pandas, "read_parquet", lambda _: pandas.read_csv(table, na_values=["?"]))
    expected, found = load(str(table), "label"), load(str(path), "label")
    np.testing.assert_array_equal(found.X[:, 0].astype(float), expected.X[:, 0].astype(float))
    np.testing.assert_array_equal(found.X[:, 1].astype(str), expected.X[:, 1].astype(str))


def test_arrays_and_sparse_files(tmp_path: Path) -> None:
    X, y = load_iris(return_X_y=True)
    A = sp.csr_matrix(X * (X > 1.5))
    np.savez(tmp_path / "dense.npz", X=X, labels=y)
    np.savez(tmp_path / "csr.npz", data=A.data, indices=A.indices, indptr=A.indptr, shape=A.shape, y=y)
    dump_svmlight_file(A, y, str(tmp_path / "lines.svm"))
    dump_svmlight_file(A, y, str(tmp_path / "lines_without_extension"))
    dense = load(str(tmp_path / "dense.npz"), "labels")
    np.testing.assert_array_equal(dense.X, X)
    assert dense.dense
    for name in ("csr.npz", "lines.svm", "lines_without_extension"):
        found = load(str(tmp_path / name), None)
        assert sp.issparse(found.X)
        assert not found.dense
        np.testing.assert_allclose(found.X.toarray(), A.toarray())
        np.testing.assert_array_equal(found.y, y)
        assert found.y.dtype.kind == "i"


def test_sparse_rows_run_through(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    X, y = load_wine(return_X_y=True)
    A = sp.csr_matrix(np.maximum(StandardScaler().fit_transform(X), 0)[y < 2])
    np.savez(tmp_path / "csr.npz", data=A.data, indices=A.indices, indptr=A.indptr, shape=A.shape, y=y[y < 2])
    assert main(["compare", str(tmp_path / "csr.npz"), "--json", "--quiet", *QUICK]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    document = json.loads(captured.out)
    assert document["data"]["sparse"]
    assert not [note for note in document["notes"] if "reports the objective" in note]


# ------------------------------------------------------------------------------------------------------ what goes wrong


@pytest.mark.parametrize(
    ("name", "content", "arguments", "fragment"),
    [
        ("absent.csv", None, [], "neither a file nor one of digits, iris"),
        ("empty.csv", "", ["--target", "y"], "is empty"),
        ("header.csv", "x,y\n", ["--target", "y"], "a header and no rows"),
        ("untold.csv", "x,y\n" + LABELS, [], "--target; the columns are 'x', 'y'"),
        ("column.csv", "x,y\n" + LABELS, ["--target", "label"], "'label': no such column; the columns are 'x', 'y'"),
        ("drop.csv", "x,y\n" + LABELS, ["--target", "y", "--drop", "z"], "--drop 'z': no such column"),
        ("nothing.csv", "x,y\n" + LABELS, ["--target", "y", "--drop", "x"], "no column is left"),
        ("twice.csv", "y,y\n" + LABELS, ["--target", "y"], "2 columns have this name"),
        ("single.csv", "x,y\n" + "1,a\n" * 30, ["--target", "y"], "single class 'a'"),
        ("unlabelled.csv", "x,y\n" + "1,\n" * 30, ["--target", "y"], "no label"),
        ("quantity.csv", "x,y\n" + "1,2.5\n" * 30, ["--target", "y"], "holds 2.5: a quantity"),
        ("many.csv", "x,y\n" + "".join(f"1,{row}\n" for row in range(50)), ["--target", "y"], "50 different labels"),
        ("rare.csv", "x,y\n" + LABELS + "1,c\n", ["--target", "y"], "class 'c' has 1 of the 41 rows"),
        ("ragged.csv", "x,y\n1,a\n1,a,3\n", ["--target", "y"], "line 3 of"),
        ("endless.csv", "x,y\ninf,a\n" + LABELS, ["--target", "y"], "column 'x' holds infinity"),
        ("bytes.csv", b"\x89PNG\r\n\xff\xfe\x00binary", ["--target", "y"], "is not UTF-8 text (byte 0x89)"),
        ("nul.csv", b"x,y\n\x00,1\n", ["--target", "y"], "NUL"),
        ("cut.csv.gz", gzip.compress(LABELS.encode())[:60], ["--target", "y"], "cannot be read"),
        ("plain.csv.gz", LABELS, ["--target", "y"], "cannot be read"),
        ("garbage.parquet", b"\x00\x01\x02", ["--target", "y"], "not a Parquet file"),
        ("cut.parquet", b"PAR1\x00\x01\x02", ["--target", "y"], "cannot be read as Parquet"),
        ("garbage.npz", b"\x00\x01\x02", [], "not an .npz file"),
        ("cut.npz", b"PK\x03\x04\x00", [], "cannot be read as .npz"),
        ("garbage.svm", b"\x00\xff\x02", [], "cannot be read as svmlight"),
        ("empty.svm", "", [], "holds 0 rows"),
        ("words.svm", "these are words\n", [], "cannot be read as svmlight"),
        ("quantity.svm", "0.5 1:2\n1.5 2:3\n", [], "a quantity, not a class"),
        ("lines.svm", "0 1:2\n1 2:3\n", ["--target", "y"], "--target is not for svmlight"),
        ("lines.svm", "0 1:2\n1 2:3\n", ["--drop", "y"], "--drop needs a table"),
        ("some.csv", "x,y\n" + LABELS, ["--target", "y", "--test-size", "0.01"], "--test-size 0.01 leaves"),
        ("some.csv", "x,y\n" + LABELS, ["--target", "y", "--test-size", "1.5"], "'1.5' is not a share"),
        ("some.csv", "x,y\n" + LABELS, ["--target", "y", "--cv", "1"], "'1' is not a whole number from 2 up"),
        ("some.csv", "x,y\n" + LABELS, ["--target", "y", "--cv", "25"], "--cv 25"),
        ("some.csv", "x,y\n" + LABELS, ["--target", "y", "--repeats", "many"], "'many' is not a whole number"),
        ("some.csv", "x,y\n" + LABELS, ["--target", "y", "--seed", "-1"], "'-1' is not a whole number"),
        ("some.csv", "x,y\n" + LABELS, ["--target", "y", "--threads", "0"], "'0' is not a whole number from 1 up"),
        ("some.csv", "x,y\n" + LABELS, ["--wrong"], "unrecognized arguments: --wrong"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: str | bytes | None,
    arguments: list[str],
    fragment: str,
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    expect_mistake(["compare", str(path), *arguments], fragment, capsys)


def expect_mistake(arguments: list[str], fragment: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "--quiet"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert captured.err.endswith("\n")
    assert "Traceback" not in captured.err
    assert fragment in captured.err


@pytest.mark.parametrize(
    ("arrays", "arguments", "fragment"),
    [
        ({"X": np.eye(4)}, [], "holds no labels 'y'"),
        ({"X": np.eye(4), "y": np.arange(4)}, ["--target", "z"], "holds no labels 'z'"),
        ({"rows": np.eye(4), "y": np.arange(4)}, [], "expected the rows as 'X'"),
        ({"X": np.eye(4), "y": np.arange(3)}, [], "has shape (3,); expected (4,)"),
        ({"X": np.ones(4), "y": np.arange(4)}, [], "has dtype float64 and shape (4,)"),
        ({"X": np.array([["a"]]), "y": np.arange(1)}, [], "has dtype <U1"),
        ({"X": np.array([[{}]]), "y": np.arange(1)}, [], "cannot be read as .npz"),
        ({"X": np.full((4, 1), np.nan), "y": np.arange(4)}, [], "a column without any number"),
        ({"X": np.full((4, 1), np.inf), "y": np.arange(4)}, [], "holds infinity"),
        ({"X": np.ones((0, 2)), "y": np.ones(0)}, [], "and shape (0, 2)"),
        ({"X": np.eye(4), "y": np.array([1, 2, np.nan, 1])}, [], "holds nan"),
        ({"X": np.eye(4), "y": np.array([1j, 2, 3, 4])}, [], "has dtype complex128"),
        ({"data": np.ones(1), "indices": [9], "indptr": [0, 1], "shape": (1, 2), "y": [0]}, [], "do not fit together"),
        (
            {"data": [np.nan, 1.0], "indices": [0, 0], "indptr": [0, 1, 2], "shape": (2, 1), "y": [0, 1]},
            [],
            "a sparse matrix must be finite",
        ),
        (
            {"data": [1.0], "indices": [0], "indptr": [0, 1], "shape": (1, 1), "format": b"csc", "y": [0]},
            [],
            "save it as CSR",
        ),
    ],
)
def test_unsuitable_arrays_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arrays: dict, arguments: list[str], fragment: str
) -> None:
    np.savez(tmp_path / "arrays.npz", **arrays)
    expect_mistake(["compare", str(tmp_path / "arrays.npz"), *arguments], fragment, capsys)


def test_other_mistakes_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expect_mistake(["compare", str(tmp_path)], "is a directory", capsys)
    expect_mistake(["compare", "iris", "--target", "y"], "is for your own file", capsys)
    monkeypatch.setitem(sys.modules, "polars", None)
    monkeypatch.setitem(sys.modules, "pandas", None)
    (tmp_path / "some.parquet").write_bytes(b"PAR1")
    expect_mistake(["compare", str(tmp_path / "some.parquet"), "--target", "y"], "pip install polars", capsys)


def test_the_module_runs_as_a_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "skgradlinear", "compare", str(tmp_path / "absent.csv")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_unknown_command_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["contrast"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_interruption_and_want_of_memory_are_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    def fill(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(_cli, "compare", stop)
    assert main(["compare", "iris"]) == 130
    assert capsys.readouterr() == ("", "interrupted\n")
    monkeypatch.setattr(_cli, "compare", fill)
    assert main(["compare", "iris"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_help_and_version(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([]) == 0
    assert "compare" in capsys.readouterr().out
    with pytest.raises(SystemExit) as done:
        main(["--version"])
    assert done.value.code == 0
    assert skgradlinear.__version__ in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["compare", "--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_warnings_are_counted_in_place_of_shown() -> None:
    counts: Counter[str] = Counter()
    with _evaluate.counted(counts):
        warnings.warn("stopped early\nsecond line", ConvergenceWarning, stacklevel=1)
        warnings.warn("stopped elsewhere", ConvergenceWarning, stacklevel=1)
        warnings.warn("odd\nsecond line", RuntimeWarning, stacklevel=1)
    assert counts == {"ConvergenceWarning": 2, "RuntimeWarning: odd": 1}


# ------------------------------------------------------------------------------------------------------------ pictures


def test_plot_writes_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "curves.png"
    assert main(["compare", "breast_cancer", "--plot", str(path), *QUICK]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    captured = capsys.readouterr()
    assert "Picture written" in captured.err
    assert max(map(len, captured.out.splitlines())) <= 80
    expect_mistake(["compare", "iris", "--plot", str(tmp_path / "curves.xyz")], "unknown extension", capsys)
    expect_mistake(["compare", "iris", "--plot", str(tmp_path / "no" / "curves.png")], "does not exist", capsys)


def test_plot_without_matplotlib_names_the_extra(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("matplotlib", "matplotlib.backends", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, name, None)
    expect_mistake(["compare", "iris", "--plot", "curves.png"], 'pip install "skgradlinear[plot]"', capsys)


# ------------------------------------------------------------------------------------------------ independent measures


@pytest.mark.parametrize("n_classes", [3, 7])
def test_losses_at_zero_logits_have_closed_forms(n_classes: int) -> None:
    y = np.arange(n_classes)
    zero = np.zeros((n_classes, n_classes))
    np.testing.assert_allclose(_measures.softmax_losses(zero, y), np.log(n_classes))
    np.testing.assert_allclose(_measures.sigmoid_losses(zero, y), n_classes * np.log(2))
    expected = {"weston_watkins": n_classes - 1, "crammer_singer": 1, "ovr": n_classes}
    for multi_class, value in expected.items():
        for squared in (False, True):
            np.testing.assert_allclose(_measures.hinge_losses(zero, y, multi_class, squared), value)


def test_losses_at_known_logits() -> None:
    y = np.array([2, 0])
    logits = np.array([[0.2, 0.3, 0.5], [0.6, 0.1, 0.3]])
    hinge = {"weston_watkins": [0.7 + 0.8, 0.5 + 0.7], "crammer_singer": [0.8, 0.7], "ovr": [3.0, 2.8]}
    for multi_class, value in hinge.items():
        np.testing.assert_allclose(_measures.hinge_losses(logits, y, multi_class, squared=False), value)
    squared = _measures.hinge_losses(logits, y, "weston_watkins", squared=True)
    np.testing.assert_allclose(squared, [0.7**2 + 0.8**2, 0.5**2 + 0.7**2])
    one = np.array([[2.0], [-1.0]])
    np.testing.assert_allclose(_measures.softmax_losses(one, np.array([0, 0])), np.log1p(np.exp([2.0, -1.0])))
    np.testing.assert_allclose(_measures.hinge_losses(one, np.array([0, 1]), "weston_watkins", False), [3.0, 2.0])
    assert _measures.penalized(np.array([1.0, 3.0]), 0.5, [[1.0, 2.0]]) == 2 + 0.25 * 5


def test_probability_measures() -> None:
    y = np.array([0, 1, 2, 1])
    uniform = np.full((4, 3), 1 / 3)
    assert _measures.log_loss(uniform, y) == pytest.approx(np.log(3))
    assert _measures.brier_score(uniform, y) == pytest.approx(2 / 3)
    certain = np.eye(3)[y]
    assert _measures.brier_score(certain, y) == _measures.calibration_error(certain, y) == 0
    assert _measures.calibration_error(np.eye(3)[[1, 0, 0, 0]], y) == 1
    # Confidence 0.8 in four rows, three of them right.
    proba = np.array([[0.8, 0.2]] * 4)
    assert _measures.calibration_error(proba, np.array([0, 0, 0, 1])) == pytest.approx(0.05)
    rng = np.random.default_rng(0)
    proba = rng.dirichlet(np.ones(3), 50)
    y = rng.integers(3, size=50)
    assert _measures.log_loss(proba, y) == pytest.approx(log_loss(y, proba))


def test_reliability_bins() -> None:
    proba = np.array([[0.95, 0.05], [0.94, 0.06], [0.3, 0.7], [0.2, 0.8], [0.0, 1.0]])
    mean, frequency, count = _measures.reliability(proba, np.array([0, 1, 1, 1, 1]), n_bins=2, fewest=1)
    np.testing.assert_allclose(mean, [0.055, 2.5 / 3])
    np.testing.assert_allclose(frequency, [0.5, 1])
    np.testing.assert_array_equal(count, [2, 3])
    mean, *_ = _measures.reliability(proba, np.zeros(5, int), n_bins=2, fewest=3)
    assert len(mean) == 1


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    "model",
    [
        SoftmaxClassifier(alpha=0.01, tol=1e-8),
        SigmoidClassifier(alpha=0.01, tol=1e-8),
        LinearSVMClassifier(alpha=0.01, tol=1e-8, loss="squared_hinge", probability=False),
        make_pipeline(StandardScaler(), LogisticRegression(tol=1e-8, C=0.5, solver="newton-cg")),
        make_pipeline(StandardScaler(), LinearSVC(tol=1e-8, C=0.5, random_state=0, dual=False)),
    ],
    ids=MODELS,
)
def test_fitted_coefficients_minimize_the_objective_worked_out_here(model: object, classes: int) -> None:
    # The objectives are smooth and each model fits its own: moving any coefficient or intercept raises the value, so
    # this fails if the loss, the penalty, its units or the share of the intercept are not those of the model.
    X, y = load_wine(return_X_y=True)
    X, y = X[y < classes] * np.geomspace(0.1, 10, 13), y[y < classes]
    pipeline = model if isinstance(model, Pipeline) else make_pipeline("passthrough", model)
    pipeline.fit(X, y)
    fitted = pipeline[-1]
    smallest = _evaluate.objective(pipeline, X, y).value
    scale = np.ones(13) if len(pipeline) == 2 and pipeline.steps[0][1] != "passthrough" else X.std(axis=0)
    rng = np.random.default_rng(0)
    for part, unit in (("coef_", 1 / scale), ("intercept_", 1.0)):
        optimum = getattr(fitted, part).copy()
        for _ in range(5):
            direction = rng.normal(size=optimum.shape) * unit
            values = []
            for step in (-1e-3, 1e-3):
                setattr(fitted, part, optimum + step * direction)
                values.append(_evaluate.objective(pipeline, X, y).value - smallest)
            setattr(fitted, part, optimum)
            assert min(values) > 0
            # To first order both directions raise it alike.
            assert values[0] == pytest.approx(values[1], rel=0.2)


def test_models_that_share_an_objective_are_named() -> None:
    def outcome(name: str, objective: str, alpha: float) -> _evaluate.Outcome:
        entry = _models.Contender(name, None, "alpha", True)
        own = _evaluate.Objective(objective, alpha, 1.0)
        return _evaluate.Outcome(entry, None, alpha, False, 1.0, 0.0, objective=own)

    outcomes = [outcome("a", "log-loss", 0.1), outcome("b", "log-loss", 0.2), outcome("c", "hinge", 0.1)]
    assert _report.comparable(outcomes) == []
    assert _report.comparable([*outcomes, outcome("d", "log-loss", 0.1 * (1 + 1e-12))]) == ["a", "d"]


def test_split_refuses_what_folds_cannot_hold() -> None:
    dataset = Dataset("few", np.zeros((12, 1)), np.repeat([0, 1], [8, 4]))
    with pytest.raises(CompareError, match=r"class 1 has 4 of the 12 rows"):
        _evaluate.split(dataset, _evaluate.Settings(cv=4, quiet=True))
    assert len(_evaluate.split(dataset, _evaluate.Settings(cv=3, quiet=True)).y) == 9
