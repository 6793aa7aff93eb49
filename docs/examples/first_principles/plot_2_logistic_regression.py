r"""
Logistic regression from scratch
================================

Standardize, descend along :math:`p - y`, return a function from points to probabilities: first in twelve lines of
NumPy, then with the parts of this package, and both give the same numbers. Then the gradient of the softmax, case by
case.
"""

# %%
# By hand
# -------
#
# A column without variance has a deviation of zero; dividing by one instead leaves it at zero.

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit
from sklearn.datasets import load_breast_cancer

from skgradlinear import Objective, SigmoidClassifier, check_gradient
from skgradlinear.losses import SigmoidLoss, SoftmaxLoss
from skgradlinear.solvers import GradientDescent

plt.style.use("seaborn-v0_8-colorblind")


def fit(X, y, rate, n_steps):
    """Full-batch gradient descent; a function from points to probabilities, and the losses."""
    mean, deviation = X.mean(axis=0), X.std(axis=0)
    deviation = np.where(deviation == 0, 1, deviation)
    Z, w, b, losses = (X - mean) / deviation, np.zeros(X.shape[1]), 0.0, []
    for _ in range(n_steps):
        logit = Z @ w + b
        losses.append(np.mean(np.logaddexp(0, logit) - y * logit))
        d_logit = expit(logit) - y
        w, b = w - rate * Z.T @ d_logit / len(y), b - rate * d_logit.mean()
    return lambda points: expit((points - mean) / deviation @ w + b), np.array(losses)


X, y = load_breast_cancer(return_X_y=True)
X = np.column_stack([X, np.full(len(X), 7.0)])  # a column without variance
probability, losses = fit(X, y, rate=0.5, n_steps=200)
print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}, accuracy {np.mean((probability(X) > 0.5) == y):.3f}")
assert np.isclose(losses[0], np.log(2))

# %%
# With the package
# ----------------
#
# The objective has the loss, the standardization and the bias; the solver has the rate, and an epoch of gradient
# descent is a step. The losses are the same in every digit that rounding leaves.

objective = Objective(X, y, SigmoidLoss())
descent = GradientDescent(learning_rate=0.5, momentum=0.0)
params, state, curve = objective.zeros(), None, []
for _ in range(200):
    curve.append(objective.value(params))
    params, state = descent.epoch(objective, params, state, np.random.default_rng(0))
print(f"largest difference of a loss: {np.abs(np.array(curve) - losses).max():.1e}")
assert np.allclose(curve, losses, rtol=1e-10)

# %%
# The gradient check takes one line.

print(check_gradient(objective, params))
assert check_gradient(objective, params).relative_difference < 1e-9

# %%
# The estimator
# -------------
#
# Two hundred steps are not at the minimum. The estimator goes there and proves it. Its
# :meth:`~skgradlinear.SigmoidClassifier.predict_proba` is the function from points to probabilities.

model = SigmoidClassifier(tol=1e-6).fit(X, y)
print(f"{model.n_iter_} iterations, certified gap {model.duality_gap_:.1e}")
assert model.duality_gap_ <= 1e-6
assert model.coef_[0, -1] == 0  # the constant column
logits = X @ model.coef_[0] + model.intercept_
assert np.allclose(model.predict_proba(X)[:, 1], expit(logits), atol=1e-9)

figure, axis = plt.subplots(figsize=(6, 3.6), layout="constrained")
axis.semilogy(losses, label="by hand")
axis.semilogy(np.arange(0, 200, 10), curve[::10], "o", mfc="none", label="GradientDescent(learning_rate=0.5)")
axis.set(xlabel="iteration", ylabel="mean loss")
axis.legend()

# %%
# The slope of ``-log p``
# -----------------------
#
# For one row of the positive class, the loss is :math:`-\log p` and its derivative in :math:`p` is :math:`-1/p`. By the
# chain rule it is also the gradient in the logit, divided by :math:`dp/dz = p (1 - p)`, the loss's second derivative.

p = np.array([[0.86270721], [0.50924298]])
logit, positive = np.log(p / (1 - p)), np.array([1, 1])
loss = SigmoidLoss()
slope = loss.gradient(logit, positive) / loss.hessp(logit, positive, np.ones((2, 1)))
print(slope.ravel())
assert np.allclose(slope.ravel(), [-1.1591418122503674, -1.9636992], rtol=1e-7)
assert np.allclose(slope, -1 / p)

# %%
# The gradient of the softmax, by cases
# -------------------------------------
#
# With :math:`p_k = e^{z_k} / \sum_j e^{z_j}`, the derivative of :math:`p_k` in :math:`z_k` itself is
# :math:`p_k (1 - p_k)`, and in another :math:`z_j` it is :math:`-p_k p_j`. Of the loss :math:`-\log p_y`, that leaves
# :math:`p_y - 1` in the logit of the label and :math:`p_j` in the others.

z = np.array([[0.2, -0.4, 0.4], [0.3, -0.5, 0.7]])
softmax = SoftmaxLoss()
p = softmax.proba(z)
print(p)
assert np.allclose(p, [[0.36098289, 0.19811161, 0.4409055], [0.34000264, 0.15277303, 0.50722433]], atol=1e-8)
two = softmax.proba(np.array([[0.2, -0.4], [0.3, -0.5]]))
assert np.allclose(two, [[0.64565631, 0.35434369], [0.68997448, 0.31002552]], atol=1e-8)

for k in range(3):
    step = np.zeros(3)
    step[k] = 1e-6
    numerical = (softmax.proba(z + step) - softmax.proba(z - step)) / 2e-6
    by_cases = np.column_stack([p[:, k] * (1 - p[:, k]) if j == k else -p[:, k] * p[:, j] for j in range(3)])
    assert np.allclose(numerical, by_cases, atol=1e-9)

label = np.array([0, 2])
by_cases = np.where(np.arange(3) == label[:, None], p - 1, p)
assert np.allclose(softmax.gradient(z, label), by_cases, atol=1e-15)
print(check_gradient(softmax, z, label))
plt.show()
