r"""
The bias trick, the Jacobian and mini-batches
=============================================

A dense layer whose bias is a row of its weights, a softmax with its full Jacobian, categorical cross-entropy, and
training in mini-batches of 16.
"""

# %%
# The bias as a row of the weights
# --------------------------------
#
# With a column of ones beside the points, ``X W + b`` is one product. The parameters of this package have that shape,
# with the bias in the last row, which the penalty leaves alone. The column of ones itself is never stored.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine, make_blobs

from skgradlinear import Objective, SoftmaxClassifier, check_gradient
from skgradlinear.losses import SigmoidLoss, SoftmaxLoss
from skgradlinear.solvers import SGD, GradientDescent

plt.style.use("seaborn-v0_8-colorblind")
X, y = load_wine(return_X_y=True)
Z = (X - X.mean(axis=0)) / X.std(axis=0)
objective = Objective(X, y, SoftmaxLoss(), alpha=1e-2)
W = np.random.default_rng(0).standard_normal(objective.shape)
scores = np.column_stack([Z, np.ones(len(Z))]) @ W
print(f"weights and bias {W.shape}, scores {scores.shape}")
assert np.allclose(objective.logits(W), scores)

# %%
# Forward and backward
# --------------------
#
# Scores, softmax, categorical cross-entropy; then back through the softmax with its full Jacobian
# :math:`\operatorname{diag}(a) - a a'`, one per row, and through the product. The fused gradient is the same.

softmax = SoftmaxLoss()
a = softmax.proba(scores)
cross_entropy = -np.log(a[np.arange(len(y)), y])
assert np.allclose(cross_entropy, softmax.value(scores, y))

d_a = np.zeros_like(a)
d_a[np.arange(len(y)), y] = -1 / a[np.arange(len(y)), y]
jacobian = np.einsum("ij,jk->ijk", a, np.eye(3)) - np.einsum("ij,ik->ijk", a, a)
d_scores = np.einsum("ijk,ik->ij", jacobian, d_a)
assert np.allclose(d_scores, softmax.gradient(scores, y), atol=1e-12)

d_W = np.column_stack([Z, np.ones(len(Z))]).T @ d_scores / len(y)
d_W[:-1] += objective.alpha * W[:-1]  # the bias is not penalized
assert np.allclose(d_W, objective.value_and_gradient(W)[1], atol=1e-12)
print(check_gradient(objective, W))

# %%
# Mini-batches
# ------------
#
# Every epoch puts the rows in a new random order and takes sixteen at a time: 178 rows are eleven batches and one of
# two rows. A seed makes it repeatable.

sgd = SGD(learning_rate=0.05, momentum=0.0, batch_size=16, max_epochs=100)
first, again, other = (sgd.solve(objective, tol=1e-10, random_state=seed) for seed in (0, 0, 1))
assert np.array_equal(first.params, again.params)
assert not np.array_equal(first.params, other.params)

full = GradientDescent(learning_rate=0.05, momentum=0.0, max_epochs=100).solve(objective, tol=1e-10)
best = SoftmaxClassifier(alpha=1e-2, tol=1e-12).fit(X, y).objective_
for name, result in (("batches of 16", first), ("all rows", full)):
    print(f"{name:14s} objective {result.value:.5f} after {result.n_iter} epochs; certified gap {result.measure:.1e}")
    assert result.value >= best
    assert result.value - result.gap <= best
# Twelve steps for each pass instead of one: nearer after as many passes.
assert first.value - best < 0.1 * (full.value - best)

figure, axis = plt.subplots(figsize=(6.5, 3.8), layout="constrained")
for (name, result), style in zip((("batches of 16", first), ("all rows", full)), ("-", "--"), strict=True):
    axis.semilogy([iteration.value / best - 1 for iteration in result.history], style, label=name)
axis.set(xlabel="epoch", ylabel="relative distance from the minimum")
axis.legend()

# %%
# Two far blobs
# -------------
#
# Two hundred points in ten dimensions, the blobs thirty and twenty deviations away from zero, and two hundred steps
# along 0.001 times the *sum* of the gradients, from random weights: 0.2 times the gradient of the mean. The loss
# falls at every step.

random = np.random.default_rng(0)
centers = np.outer([30.0, -20.0], np.ones(10)) / np.sqrt(10)
points, side = make_blobs(n_samples=200, centers=centers, random_state=0)
blobs = Objective(points, side, SigmoidLoss())
start = random.standard_normal(blobs.shape)
descent = GradientDescent(learning_rate=0.001 * len(points), momentum=0.0, init=start, max_epochs=200)
losses = np.array([iteration.value for iteration in descent.solve(blobs, tol=1e-12).history])
print(f"loss {losses[0]:.4f} at the first step, {losses[33]:.4f} at the 34th, {losses[-1]:.4f} at the last")
assert np.all(np.diff(losses) < 0)
assert losses[33] < 0.2 * losses[0]
plt.show()
