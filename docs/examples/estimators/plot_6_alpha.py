"""
Choosing the strength of the penalty
====================================

``alpha`` is the one parameter that decides how well a linear classifier generalizes. The default, ``"scale"``, is a
good place to start a search from, and a search along a path of values is cheap.
"""

# %%
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.model_selection import GridSearchCV, StratifiedKFold, ValidationCurveDisplay

from skgradlinear import SoftmaxClassifier

plt.style.use("seaborn-v0_8-colorblind")

# %%
# Validation curves
# -----------------
#
# The log-loss of rows that a fit has not seen, against that of the rows it has. To the left the model learns the
# training rows by heart; to the right it learns nothing. The dashed line is ``alpha="scale"``: a twentieth of the
# number of (standardized) columns, divided by the number of rows.

alphas = np.logspace(-6, 1, 8)
folds = StratifiedKFold(5, shuffle=True, random_state=0)
figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
for load, axis in zip((load_breast_cancer, load_wine, load_digits), axes, strict=True):
    X, y = load(return_X_y=True)
    default = SoftmaxClassifier().fit(X, y).alpha_
    n_varying = np.count_nonzero(X.std(axis=0))
    assert np.isclose(default, n_varying / (20 * len(X)))
    curve = ValidationCurveDisplay.from_estimator(
        SoftmaxClassifier(), X, y, param_name="alpha", param_range=alphas, cv=folds, scoring="neg_log_loss",
        negate_score=True, score_name="log-loss", ax=axis,
    )  # fmt: skip
    axis.axvline(default, color="black", ls="--", lw=1)
    axis.set(title=load.__name__, xscale="log", yscale="log", xticks=[1e-5, 1e-3, 1e-1, 1e1])
    test_loss = -curve.test_scores.mean(axis=1)
    best = alphas[test_loss.argmin()]
    print(f"{load.__name__:20s} scale {default:.1e}, best of the grid {best:.0e}")
    # The default is within two powers of ten of the best value, the ends of the grid are far worse than either.
    assert abs(np.log10(best / default)) < 2
    assert min(test_loss[0], test_loss[-1]) > 1.5 * test_loss.min()

# %%
# ``alpha`` does not depend on the number of rows
# -----------------------------------------------
#
# The penalty is on the *mean* loss. Each row twice is the same problem, where scikit-learn's ``C`` would have to be
# halved. So an ``alpha`` that was found on a part of the data keeps its meaning on all of it.

X, y = load_wine(return_X_y=True)
once = SoftmaxClassifier(alpha=1e-2, tol=1e-10).fit(X, y)
twice = SoftmaxClassifier(alpha=1e-2, tol=1e-10).fit(np.vstack([X, X]), np.hstack([y, y]))
print(f"largest relative difference of a coefficient: {np.abs(twice.coef_ / once.coef_ - 1).max():.0e}")
assert np.allclose(once.coef_, twice.coef_, rtol=1e-3)

# %%
# Searching
# ---------
#
# A grid search works as with any estimator. To follow a path by hand, start each fit from the last one with
# ``warm_start=True``. Either way, each value has a certificate of its own, so that differences between two values of
# ``alpha`` are not differences of how far a solver came.

X, y = load_digits(return_X_y=True)
search = GridSearchCV(SoftmaxClassifier(), {"alpha": np.logspace(-4, 0, 9)}, scoring="neg_log_loss", cv=folds)
search.fit(X, y)
print(f"best alpha {search.best_params_['alpha']:.1e}, log-loss {-search.best_score_:.4f}")

path = SoftmaxClassifier(warm_start=True)
start = perf_counter()
norms = []
for alpha in np.logspace(0, -6, 25):
    path.set_params(alpha=alpha).fit(X, y)
    norms.append(np.linalg.norm(path.coef_))
    assert path.duality_gap_ <= path.tol
print(f"25 certified fits of 1,797 rows: {perf_counter() - start:.2f} s")
assert np.all(np.diff(norms) > 0)  # a weaker penalty, larger coefficients
plt.show()
