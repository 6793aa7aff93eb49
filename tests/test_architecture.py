"""Imports point one way, and the command is the only place that prints."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skgradlinear

ROOT = Path(skgradlinear.__file__).parent
LOSSES = {"losses"}
ROWS = LOSSES | {"_standardization", "_evaluation"}
# What each module of the package may import of the package, at run time. A new module has to be entered.
ALLOWED = {
    "__init__": {"_objective", "displays", "estimators", "gradient_check"},
    "__main__": {"_compare"},
    "_calibration": LOSSES,
    "_central_path": LOSSES | {"_central_path", "_certificate", "_design", "_standardization", "_systems"},
    "_bias": LOSSES | {"_evaluation", "_line", "_systems"},
    "_certificate": LOSSES | {"_bias", "_evaluation", "_systems"},
    "_conjugate_gradient": LOSSES,
    "_design": LOSSES | {"_rows", "_systems", "_threads"},
    "_differences": LOSSES,
    "_directions": LOSSES
    | {"_conjugate_gradient", "_design", "_evaluation", "_preconditioner", "_systems", "_thin", "_threads"},
    "_evaluation": LOSSES | {"_mean_loss"},
    "_incremental_newton": LOSSES | {"_conjugate_gradient", "_evaluation", "_line", "_stored_hessian"},
    "_line": LOSSES | {"_evaluation", "_threads"},
    "_matplotlib": set(),
    "_mean_loss": LOSSES | {"_threads"},
    "_objective": ROWS
    | {
        "_bias",
        "_certificate",
        "_directions",
        "_line",
        "_mean_loss",
        "_rows",
        "_subspace",
        "_threads",
    },
    "_preconditioner": LOSSES | {"_design", "_evaluation", "_rows", "_systems", "_threads"},
    "_reliability": set(),
    "_rotation": LOSSES,
    "_rows": LOSSES | {"_standardization", "_thin", "_threads"},
    "_separate_hinges": LOSSES
    | {"_certificate", "_conjugate_gradient", "_design", "_separate_hinges", "_standardization", "_systems"},
    "_standardization": LOSSES,
    "_stored_hessian": LOSSES | {"_standardization", "_systems"},
    "_subspace": LOSSES | {"_evaluation", "_line", "_systems", "_threads"},
    "_systems": LOSSES,
    "_thin": LOSSES,
    "_threads": set(),
    "_validation": LOSSES,
    "estimators": ROWS
    | {
        "_calibration",
        "_central_path",
        "_incremental_newton",
        "_objective",
        "_rotation",
        "_rows",
        "_separate_hinges",
        "_threads",
        "_validation",
        "estimators",
        "solvers",
    },
    "gradient_check": LOSSES | {"_differences", "_objective"},
    "losses": LOSSES,
    "solvers": {"solvers", "_central_path", "_conjugate_gradient", "_rotation", "_separate_hinges"},
    "_compare": {"_compare", "__init__", "_matplotlib", "_reliability"},
    "displays": LOSSES | {"_matplotlib", "_reliability", "_validation", "displays", "estimators", "solvers"},
}
MAY_IMPORT_SKLEARN = {"_calibration", "_validation", "displays", "estimators", "_compare"}
# Solver objects are parameters of estimators: scikit-learn clones them and searches their parameters.
MAY_IMPORT_SKLEARN_BASE = {"solvers"}
OPTIONAL = {"matplotlib", "onnxruntime", "pandas", "polars", "pyarrow", "skl2onnx", "skops"}
MODULES = sorted(ROOT.rglob("*.py"))


def room(path):
    """Top-level module or folder of the package that a file belongs to."""
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def runtime_imports(path):
    """Dotted names imported by a file, relative ones resolved, those for type checkers only left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    package = ["skgradlinear", *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "skgradlinear" else [module]
            yield from ((name, node) for name in names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path):
    own = room(path)
    for name, _ in runtime_imports(path):
        parts = name.split(".")
        if parts[0] == "skgradlinear":
            target = parts[1] if len(parts) > 1 and (ROOT / parts[1]).is_dir() else ".".join(parts[1:2])
            is_module = (ROOT / f"{target}.py").exists() or (ROOT / target).is_dir()
            target = target if is_module and target else "__init__"
            assert target in ALLOWED[own], f"{own} imports {name}"
        if parts[0] == "sklearn":
            may_import = own in MAY_IMPORT_SKLEARN or (own in MAY_IMPORT_SKLEARN_BASE and name == "sklearn.base")
            assert may_import, f"{own} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_optional_packages_are_imported_where_they_are_used(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not {name.split(".")[0] for name in names} & OPTIONAL


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_command_prints(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"]
    assert not calls or room(path) in {"_compare", "__main__"}


def test_importing_the_package_imports_no_optional_package():
    # scikit-learn may import some of them itself; what counts is what comes on top.
    seen = f"sorted({OPTIONAL!r} & set(sys.modules))"
    code = (
        "import sys, sklearn.base, sklearn.model_selection, sklearn.utils.metaestimators, scipy.optimize\n"
        f"before = {seen}\nimport skgradlinear\nprint(sorted(set({seen}) - set(before)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
