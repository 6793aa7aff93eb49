"""Callbacks: what they see, that they can stop a fit, and what is left when they fail."""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

from skgradlinear import LinearSVMClassifier, SigmoidClassifier, SoftmaxClassifier
from skgradlinear.estimators._base import LinearClassifier
from skgradlinear.solvers import LBFGS, SGD, Adam, GradientDescent, NewtonCG

HAS_CALLBACKS = parse_version(sklearn.__version__) >= parse_version("1.9")
SMOOTH_SOLVERS = ["auto", "lbfgs", LBFGS(), NewtonCG(), GradientDescent(), SGD(), Adam()]
HINGE_SOLVERS = ["auto", GradientDescent(max_epochs=20), SGD(max_epochs=20), Adam(max_epochs=20)]
HINGES = ["weston_watkins", "crammer_singer", "ovr"]
EVERY = [
    *(SoftmaxClassifier(solver=solver) for solver in SMOOTH_SOLVERS),
    *(SigmoidClassifier(solver=solver) for solver in SMOOTH_SOLVERS),
    *(LinearSVMClassifier(loss="squared_hinge", cv=2, solver=solver) for solver in SMOOTH_SOLVERS),
    *(LinearSVMClassifier(multi_class=form, cv=2, solver=solver) for form in HINGES for solver in HINGE_SOLVERS),
]
every = pytest.mark.parametrize("estimator", EVERY, ids=lambda e: re.sub(r"\s+", "", repr(e)))
X, y = load_iris(return_X_y=True)
labels = np.array(["setosa", "versicolor", "virginica"])[y]


class Watch:
    """A callback that notes what it is told, and does something at one of the iterations."""

    def __init__(self, at: int = -1, action: Any = None) -> None:
        self.at, self.action = at, action
        self.events: list[tuple[str, int, int]] = []
        self.models: list[Any] = []
        self.told: list[tuple[Any, Any, Any]] = []

    def setup(self, estimator: Any, context: Any) -> None:
        self.events.append(("setup", -1, -1))

    def teardown(self, estimator: Any, context: Any) -> None:
        self.events.append(("teardown", -1, -1))

    def on_fit_task_begin(self, estimator: Any, context: Any, *, fitted_estimator: Any = None) -> None:
        self.events.append(("begin", 0 if context.parent is None else 1, context.task_id))

    def on_fit_task_end(
        self,
        estimator: Any,
        context: Any,
        *,
        X: Any = None,
        y: Any = None,
        metadata: Any = None,
        fitted_estimator: Any = None,
    ) -> Any:
        self.events.append(("end", 0 if context.parent is None else 1, context.task_id))
        if fitted_estimator is not None:
            self.models.append(fitted_estimator)
            self.told.append((X, y, metadata))
        return self.action() if context.parent is not None and context.task_id == self.at else None


def raising(error: type[BaseException]) -> Any:
    def act() -> None:
        raise error("on purpose")

    return act


def fast(estimator: LinearClassifier) -> LinearClassifier:
    """A clone that converges whatever its solver."""
    return clone(estimator).set_params(tol=1e30)


def with_watch(estimator: LinearClassifier, watch: Watch, **parameters: Any) -> LinearClassifier:
    return clone(estimator).set_params(**parameters).set_callbacks(watch)


def state_of(estimator: LinearClassifier) -> dict[str, Any]:
    return {name: copy.deepcopy(value) for name, value in vars(estimator).items() if name != "_skl_callbacks"}


def assert_same_state(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert_array_equal(found[name], value) if isinstance(value, np.ndarray) else None
        assert repr(found[name]) == repr(value)


@every
def test_without_callbacks_there_is_nothing_to_see(estimator: LinearClassifier) -> None:
    assert hasattr(estimator, "set_callbacks") == HAS_CALLBACKS
    fitted = fast(estimator).fit(X, labels)
    assert not [name for name in vars(fitted) if "callback" in name]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "estimator",
    [
        SoftmaxClassifier(),
        # Goes on in float64 where float32 ends.
        SoftmaxClassifier(tol=1e-10),
        LinearSVMClassifier(probability=False),
        LinearSVMClassifier(multi_class="crammer_singer", probability=False),
    ],
    ids=repr,
)
def test_verbose_is_a_line_per_iteration(
    estimator: LinearClassifier, dtype: type, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted = clone(estimator).set_params(verbose=1).fit(X.astype(dtype), labels)
    lines = capsys.readouterr().out.splitlines()
    found = [re.fullmatch(r"\[(\w+)\] +(\d+)  objective (\S+)  gap (\S+)  (\S+) s", line) for line in lines]
    assert [int(match[2]) for match in found] == list(range(fitted.n_iter_ + 1))
    # Of the last point in float32 the line says what float32 saw: the same but for rounding.
    rounding = 0.0 if dtype is np.float64 else 1e-6
    assert_allclose([float(match[3]) for match in found], fitted.loss_curve_, rtol=1e-7 + rounding)
    assert float(found[-1][4]) == pytest.approx(fitted.duality_gap_, rel=0.1, abs=rounding)
    seconds = [float(match[5]) for match in found]
    assert seconds == sorted(seconds)
    assert {match[1] for match in found} == {type(fitted).__name__}


if HAS_CALLBACKS:
    # Before scikit-learn 1.9 there is no set_callbacks, as the first test says.
    from sklearn.callback import ProgressBar, ScoringMonitor

    # Fits are kept short; that they are unfinished is no news.
    unfinished = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

    @every
    @unfinished
    def test_callbacks_see_every_iteration(estimator: LinearClassifier) -> None:
        """Tasks are nested and closed, and the solver does not notice."""
        watch = Watch()
        fitted = with_watch(estimator, watch, max_iter=4, tol=1e-300).fit(X, labels)
        alone = clone(estimator).set_params(max_iter=4, tol=1e-300).fit(X, labels)
        assert_array_equal(fitted.coef_, alone.coef_)
        assert fitted.n_iter_ == 4
        steps = [event for k in range(4) for event in (("begin", 1, k), ("end", 1, k))]
        assert watch.events == [("setup", -1, -1), ("begin", 0, 0), *steps, ("end", 0, 0), ("teardown", -1, -1)]
        assert_array_equal(watch.models[-1].coef_, fitted.coef_)
        assert len(watch.models) == 5
        assert not {name for name in vars(fitted) if "callback" in name} - {"_skl_callbacks"}

    @every
    @unfinished
    def test_models_at_the_iterations_are_ready_to_use(estimator: LinearClassifier) -> None:
        """In original units, with labels, names and probabilities."""
        watch, weight = Watch(), np.arange(len(y)) % 3.0
        frame = pd.DataFrame(X, columns=list("abcd"))
        fitted = with_watch(estimator, watch, max_iter=3).fit(frame, labels, weight)
        for model, (told_X, told_y, metadata) in zip(watch.models, watch.told, strict=True):
            assert told_X is frame
            assert told_y is labels
            assert metadata["sample_weight"] is weight
            assert set(model.predict(frame)) <= set(labels)
            assert_allclose(model.predict_proba(frame).sum(axis=1), 1)
            assert_allclose(model.decision_function(frame), X @ model.coef_.T + model.intercept_, atol=1e-9)
            assert model.duality_gap_ >= 0
        assert_array_equal(watch.models[-1].predict_proba(frame), fitted.predict_proba(frame))
        objectives = [model.objective_ for model in watch.models[:-1]]
        assert_array_equal(objectives, fitted.loss_curve_[1:])

    @pytest.mark.parametrize("probability", ["temperature", False])
    def test_models_of_another_fit_leave_nothing_behind(probability: Any) -> None:
        """Names and temperatures of the earlier fit are not those of the later one."""
        machine = LinearSVMClassifier(loss="squared_hinge", cv=2).fit(pd.DataFrame(X, columns=list("abcd")), y)
        watch = Watch()
        machine.set_params(probability=probability).set_callbacks(watch).fit(X, labels)
        for model in watch.models:
            model.predict(X)
            assert model.score(X, labels) > 0.5
        if probability:
            assert {model.temperature_ for model in watch.models[:-1]} == {1.0}

    @pytest.mark.parametrize("solver", SMOOTH_SOLVERS, ids=repr)
    @unfinished
    def test_multilabel_and_sparse(solver: Any) -> None:
        rows, Y = make_multilabel_classification(n_samples=60, n_classes=4, random_state=0)
        watch = Watch()
        with_watch(SigmoidClassifier(solver=solver), watch, max_iter=3).fit(sp.csr_array(rows), Y)
        for model in watch.models:
            assert model.predict(rows).shape == Y.shape
            assert model.predict_proba(rows).shape == Y.shape

    @every
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_a_request_to_stop_is_honoured(estimator: LinearClassifier, dtype: type) -> None:
        """Without a warning, and with the gap that is true of what is returned."""
        watch = Watch(1, lambda: True)
        fitted = with_watch(estimator, watch, tol=1e-12).fit(X.astype(dtype), labels)
        assert fitted.n_iter_ == 2
        best = clone(fitted).set_callbacks().set_params(solver="auto", tol=1e-9).fit(X.astype(dtype), labels)
        missing = fitted.objective_ - best.objective_
        assert -1e-9 * best.objective_ <= missing <= fitted.duality_gap_ * fitted.objective_ * (1 + 1e-9)
        assert fitted.predict(X).shape == labels.shape

    @every
    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    @pytest.mark.parametrize("at", [0, 2])
    def test_a_callback_that_raises_leaves_the_estimator_as_it_was(
        estimator: LinearClassifier, error: type[BaseException], at: int
    ) -> None:
        watch = Watch(at, raising(error))
        unfitted = with_watch(estimator, watch, tol=1e-12)
        before = state_of(unfitted)
        with pytest.raises(error, match="on purpose"):
            unfitted.fit(X, labels)
        assert_same_state(state_of(unfitted), before)
        assert watch.events[-1] == ("teardown", -1, -1)
        with pytest.raises(NotFittedError):
            unfitted.predict(X)
        fitted = fast(estimator).set_params(warm_start=True).fit(X[:120], y[:120])
        before = state_of(fitted.set_params(tol=1e-12))
        with pytest.raises(error, match="on purpose"):
            fitted.set_callbacks(Watch(at, raising(error))).fit(X, labels)
        assert_same_state(state_of(fitted), before)

    def test_the_folds_of_a_support_vector_machine_call_nothing() -> None:
        watches = [Watch(), Watch()]
        for watch, probability in zip(watches, ["temperature", False], strict=True):
            with_watch(LinearSVMClassifier(), watch, probability=probability).fit(X, labels)
        assert watches[0].events == watches[1].events

    def test_no_model_is_made_unless_a_callback_asks_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
        calls: list[int] = []
        translate = LinearClassifier._model
        monkeypatch.setattr(LinearClassifier, "_model", lambda *args: calls.append(1) or translate(*args))
        SoftmaxClassifier().fit(X, labels)
        SoftmaxClassifier().set_callbacks(ProgressBar()).fit(X, labels)
        assert len(calls) == 2

    @every
    @unfinished
    def test_scoring_monitor(estimator: LinearClassifier) -> None:
        monitor = ScoringMonitor(scoring=["neg_log_loss", "accuracy"])
        fitted = with_watch(estimator, monitor, max_iter=5).fit(X, labels)
        log = [row for row in monitor.get_logs().data if row["task_name"] == "iteration"]
        assert len(log) == fitted.n_iter_
        assert all(np.isfinite(row["neg_log_loss"]) for row in log)
        # The last iteration is the fit, but for the temperature.
        if fitted.loss_curve_[-1] == fitted.objective_:
            assert log[-1]["accuracy"] == fitted.score(X, labels)

    @pytest.mark.parametrize("solver", ["auto", SGD(max_epochs=5)], ids=repr)
    @unfinished
    def test_monitor_and_progress_bar_in_a_search(solver: Any, capsys: pytest.CaptureFixture[str]) -> None:
        """Through GridSearchCV and Pipeline, which hand the bar down."""
        monitor = ScoringMonitor(scoring="accuracy")
        classifier = SoftmaxClassifier(solver=solver).set_callbacks(monitor)
        search = GridSearchCV(
            make_pipeline(StandardScaler(), classifier), {"softmaxclassifier__alpha": [0.1, 1.0]}, cv=2
        )
        search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, labels)
        assert "SoftmaxClassifier" in capsys.readouterr().out
        runs = {row["parent_task_id_path"] for log in monitor.get_logs("all") for row in log.data if log.data}
        assert len(runs) >= 5
        assert search.score(X, labels) > 0.8
