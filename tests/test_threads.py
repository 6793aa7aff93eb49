"""Threads of a fit: those of the linear algebra libraries, and its own over parts of the rows."""

import threading
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from threadpoolctl import ThreadpoolController, threadpool_limits

from skgradlinear import LinearSVMClassifier, SigmoidClassifier, SoftmaxClassifier, _mean_loss, _rows, _threads
from skgradlinear._threads import SMALL_PASS, for_pass, mapped, parts
from skgradlinear.estimators import _base


def threads():
    """Threads of each library, by the folder that it lies in."""
    libraries = ThreadpoolController().select(user_api="blas").info()
    return {Path(library["filepath"]).parent.name: library["num_threads"] for library in libraries}


def workers(some):
    """Threads that take part in a loop over parts, each of which waits for the others' beginning."""
    barrier = threading.Barrier(len(some), timeout=20)

    def wait(part):
        barrier.wait()
        return threading.get_ident()

    return set(mapped(wait, some))


@pytest.mark.parametrize("size", [0, SMALL_PASS, SMALL_PASS + 1])
def test_libraries_keep_to_one_thread_within_a_fit(size):
    before = threads()
    with for_pass(size):
        assert set(threads().values()) == {1}
    assert threads() == before


def test_fits_that_overlap_leave_threads_as_they_were():
    with threadpool_limits(3):
        before = threads()
        first, second = for_pass(0), for_pass(0)
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert set(threads().values()) == {1}
        second.__exit__(None, None, None)
        assert threads() == before


def test_small_passes_have_no_threads_of_their_own():
    with threadpool_limits(4), for_pass(SMALL_PASS):
        assert set(mapped(lambda part: threading.get_ident(), parts(100, 10))) == {threading.get_ident()}


def test_large_passes_have_as_many_threads_as_the_libraries_were_allowed():
    with threadpool_limits(4), for_pass(SMALL_PASS + 1):
        assert len(workers(parts(4, 1))) == 4
    with threadpool_limits(1), for_pass(SMALL_PASS + 1):
        assert set(mapped(lambda part: threading.get_ident(), parts(100, 10))) == {threading.get_ident()}


def test_there_are_no_threads_outside_of_a_fit():
    before = threading.active_count()
    with threadpool_limits(4), for_pass(SMALL_PASS + 1):
        assert len(list(mapped(id, parts(100, 10)))) == len(parts(100, 10))
    assert threading.active_count() == before
    assert set(mapped(lambda part: threading.get_ident(), parts(100, 10))) == {threading.get_ident()}


def test_parts_are_all_rows_in_order_and_about_equal():
    for n_rows in (1, 9, 10, 11, 100, 1001):
        some = parts(n_rows, 10)
        assert [row for part in some for row in range(n_rows)[part]] == list(range(n_rows))
        sizes = [part.stop - part.start for part in some]
        assert max(sizes) <= 10
        assert max(sizes) - min(sizes) <= 1


def test_results_come_in_order_and_errors_come_out():
    def fail(part):
        raise ZeroDivisionError

    some = parts(1000, 10)
    with threadpool_limits(4), for_pass(SMALL_PASS + 1):
        assert list(mapped(lambda part: part.start, some)) == [part.start for part in some]
        with pytest.raises(ZeroDivisionError):
            list(mapped(fail, some))


def test_what_numpy_is_told_of_overflow_holds_on_other_threads_too():
    with threadpool_limits(4), for_pass(SMALL_PASS + 1), np.errstate(over="ignore"):
        assert list(mapped(lambda part: float(np.square(np.float64(1e200))), parts(100, 10))) == [np.inf] * 12


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "model",
    [
        SoftmaxClassifier(),
        SigmoidClassifier(),
        LinearSVMClassifier(tol=1e-3),
        LinearSVMClassifier(loss="squared_hinge", tol=1e-3),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_fit_does_not_depend_on_the_number_of_threads(kind, dtype, model, monkeypatch):
    monkeypatch.setattr(_threads, "SMALL_PASS", 0)
    monkeypatch.setattr(_rows, "PART_ENTRIES", 1 << 12)
    monkeypatch.setattr(_rows, "SPARSE_PART_ENTRIES", 1 << 12)
    monkeypatch.setattr(_mean_loss, "GROUP_ENTRIES", 1 << 11)
    random = np.random.default_rng(0)
    X = random.standard_normal((3000, 40)).astype(dtype)
    X[:, ::2] *= X[:, ::2] > 0.5
    y = (X[:, :4] + random.gumbel(size=(3000, 4))).argmax(axis=1)
    fitted = []
    for count in (1, 3):
        with threadpool_limits(count):
            fitted.append(model.fit(kind(X), y).coef_.copy())
    assert np.array_equal(*fitted)


def test_a_fit_that_fails_leaves_threads_as_they_were(monkeypatch):
    before = threads()
    monkeypatch.setattr(_base, "solve", lambda *args, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        SoftmaxClassifier().fit(np.eye(4), [0, 1, 0, 1])
    assert threads() == before
