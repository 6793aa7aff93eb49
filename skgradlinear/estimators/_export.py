"""Fitted estimators of scikit-learn with the coefficients of ours."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.svm import LinearSVC

from ..losses._base import Array


def logistic_regression(model: Any) -> LogisticRegression:
    """A logistic regression with the model's coefficients, and the ``C`` of the model's problem."""
    logistic = LogisticRegression(C=_c(model), fit_intercept=model.fit_intercept, class_weight=model.class_weight)
    return _with_logits(logistic, model, model.classes_, model.coef_, model.intercept_)


def tempered(model: Any) -> LogisticRegression:
    """A logistic regression whose logits are the model's scores over its temperature.

    Its ``C`` is scikit-learn's default: a hinge's penalty says nothing about that of a likelihood.
    """
    logistic = LogisticRegression(fit_intercept=model.fit_intercept, class_weight=model.class_weight)
    coefficients, intercept = model.coef_ / model.temperature_, model.intercept_ / model.temperature_
    return _with_logits(logistic, model, model.classes_, coefficients, intercept)


def linear_svc(model: Any) -> LinearSVC:
    """A linear support vector classifier with the model's coefficients, and the ``C`` of the model's problem."""
    # Two classes of Crammer & Singer's have two vectors in liblinear, and half the penalty on their difference.
    two = len(model.classes_) == 2
    crammer_singer = model.multi_class == "crammer_singer" and not two
    machine = LinearSVC(
        C=_c(model),
        loss=model.loss,
        multi_class="crammer_singer" if crammer_singer else "ovr",
        fit_intercept=model.fit_intercept,
        # A one-versus-rest output of liblinear weights its own class and no other.
        class_weight=model.class_weight if two or crammer_singer else None,
    )
    return _with_logits(machine, model, model.classes_, model.coef_, model.intercept_)


def one_vs_rest(model: Any, *, multilabel: bool) -> OneVsRestClassifier:
    """One binary logistic regression for each output of the model."""
    # Class weights of ours are for a row's own class in all outputs; those of a binary problem would be for 0 and 1.
    binary = LogisticRegression(C=_c(model), fit_intercept=model.fit_intercept)
    ovr = OneVsRestClassifier(binary)
    labels = np.eye(len(model.classes_), dtype=int) if multilabel else model.classes_
    ovr.label_binarizer_ = LabelBinarizer(sparse_output=True).fit(labels)
    ovr.classes_ = ovr.label_binarizer_.classes_
    ovr.estimators_ = [
        _with_logits(LogisticRegression(**binary.get_params()), model, np.array([0, 1]), coef[None], intercept[None])
        for coef, intercept in zip(model.coef_, model.intercept_, strict=True)
    ]
    return _with_features(ovr, model)


def _c(model: Any) -> float:
    """``C = 1 / (alpha S)``: infinite without a penalty, which scikit-learn takes for the same."""
    return 1 / (model.alpha_ * model._total_weight) if model.alpha_ else np.inf


def _with_logits(target: Any, model: Any, classes: Array, coefficients: Array, intercept: Array) -> Any:
    target.classes_, target.coef_, target.intercept_ = classes.copy(), coefficients.copy(), intercept.copy()
    # scikit-learn's solvers count per problem, liblinear's in one number.
    n_iter = getattr(model, "n_iter_", 1)  # a stream has no number of iterations
    target.n_iter_ = n_iter if isinstance(target, LinearSVC) else np.array([n_iter], dtype=np.int32)
    return _with_features(target, model)


def _with_features(target: Any, model: Any) -> Any:
    target.n_features_in_ = model.n_features_in_
    if hasattr(model, "feature_names_in_"):
        target.feature_names_in_ = model.feature_names_in_.copy()
    return target
