"""Threads of the linear algebra libraries within a fit, and after it."""

from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from skgradlinear import SoftmaxClassifier
from skgradlinear._threads import SMALL_PASS, for_pass
from skgradlinear.estimators import _base


def threads():
    """Threads of each library, by the folder that it lies in."""
    libraries = ThreadpoolController().select(user_api="blas").info()
    return {Path(library["filepath"]).parent.name: library["num_threads"] for library in libraries}


def test_small_passes_run_on_one_thread():
    before = threads()
    with for_pass(SMALL_PASS):
        assert set(threads().values()) == {1}
    assert threads() == before


def test_large_passes_leave_numpy_its_threads_and_other_libraries_one():
    before = threads()
    with for_pass(SMALL_PASS + 1):
        within = threads()
    assert threads() == before
    bundled = any("numpy" in folder for folder in before)
    for folder, count in before.items():
        assert within[folder] == (1 if bundled and "numpy" not in folder else count)


def test_a_fit_that_fails_leaves_threads_as_they_were(monkeypatch):
    before = threads()
    monkeypatch.setattr(_base, "solve", lambda *args, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        SoftmaxClassifier().fit(np.eye(4), [0, 1, 0, 1])
    assert threads() == before
