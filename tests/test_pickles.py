"""Models that released versions pickled load without a warning and say what they said."""

import pickle

import numpy as np
import pytest
from make_fixtures import FOLDER, METHODS, fitted_models, unreleased
from numpy.testing import assert_allclose, assert_array_equal

import skgradlinear

STORED = sorted(FOLDER.glob("*/*.pkl"))


def load(path):
    return pickle.loads(path.read_bytes()), np.load(path.with_suffix(".npz"), allow_pickle=False)


@pytest.mark.parametrize("path", STORED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_stored_model_says_what_it_said(path):
    model, stored = load(path)
    said = [method for method in METHODS if method in stored]
    assert said == [method for method in METHODS if hasattr(model, method)]
    for method in said:
        answer = getattr(model, method)(stored["X"])
        assert answer.dtype == stored[method].dtype
        if method == "predict":
            assert_array_equal(answer, stored[method])
        else:  # the order of a product's sums is the linear algebra library's
            eps = np.finfo(answer.dtype).eps
            assert_allclose(answer, stored[method], rtol=1e3 * eps, atol=1e3 * eps)


@pytest.mark.parametrize("path", STORED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_stored_model_can_be_used_like_a_new_one(path):
    model, stored = load(path)
    X = stored["X"]
    assert_array_equal(model.as_sklearn().predict(X), model.predict(X))
    assert repr(pickle.loads(pickle.dumps(model))) == repr(model)
    before = model.n_iter_
    model.fit(X, stored["y"])
    assert model.duality_gap_ <= model.tol
    assert model.n_iter_ <= before
    assert_array_equal(model.predict(X), stored["predict"])


def test_the_pickles_of_the_version_to_come_have_its_attributes():
    version = skgradlinear.__version__
    stored = {path.stem: path for path in STORED if path.parent.name == version and unreleased(version)}
    for name, model, X, y in fitted_models() if stored else ():
        attributes = vars(load(stored[name])[0]).keys()
        assert attributes == vars(model.fit(X, y)).keys(), "run `python tests/make_fixtures.py`"


def test_the_pickles_of_the_first_version_are_there():
    assert len(list(FOLDER.glob("0.1.0/*.pkl"))) >= 6
