r"""
Softmax and cross-entropy as differentiable functions
=====================================================

A softmax that does not overflow, its logarithm, the product with its Jacobian, the two fused into one loss, and a
classifier trained by Adam.
"""

# %%
# Shifted by the largest logit
# ----------------------------
#
# Adding a number to all logits of a row changes nothing, so the largest is subtracted first and no exponential
# overflows. The logarithm of the softmax is formed without the softmax: it stays finite where the probability
# underflows. Clipping a probability at some small number before the logarithm would hide that, and lose the gradient.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_iris

from skgradlinear import Objective, SoftmaxClassifier, check_gradient, check_hessp
from skgradlinear.losses import SoftmaxLoss
from skgradlinear.solvers import Adam

plt.style.use("seaborn-v0_8-colorblind")
softmax = SoftmaxLoss()
logits = np.array([[0.4, 0.0, -4.0, -1.0], [0.4, 0.0, -4.0, -10.0]])
p = softmax.proba(logits)
print(p)
expected = [
    [5.18351093e-01, 3.47461129e-01, 6.36397256e-03, 1.27823806e-01],
    [5.94308491e-01, 3.98376895e-01, 7.29652735e-03, 1.80862831e-05],
]
assert np.allclose(p, expected, rtol=1e-8)
assert np.allclose(softmax.proba(logits + 1000), p)

far = np.array([[0.0, -2000.0]])
print(softmax.proba(far), softmax.log_proba(far))
assert softmax.proba(far)[0, 1] == 0
assert softmax.log_proba(far)[0, 1] == -2000

# %%
# The product with the Jacobian
# -----------------------------
#
# The Jacobian of the softmax at a row is :math:`\operatorname{diag}(p) - p p'`. Its product with a vector :math:`g`
# needs no matrix: :math:`p \odot g - p \, (p \cdot g)`. It is the Hessian of the cross-entropy in the logits, so the
# loss has it as ``hessp``.

g = np.random.default_rng(0).standard_normal(logits.shape)
product = p * g - p * np.sum(p * g, axis=1, keepdims=True)
by_matrix = np.stack([(np.diag(row) - np.outer(row, row)) @ direction for row, direction in zip(p, g, strict=True)])
labels = np.array([1, 3])
assert np.allclose(product, by_matrix, atol=1e-16)
assert np.allclose(product, softmax.hessp(logits, labels, g), atol=1e-16)
print(check_hessp(softmax, logits, labels, g))

# %%
# Sending a gradient of ones back through a softmax gives zero: the probabilities add up to one whatever the logits are,
# so their sum has no slope.

backward_of_ones = softmax.hessp(logits, labels, np.ones_like(logits))
print(f"largest entry: {np.abs(backward_of_ones).max():.0e}")
assert np.abs(backward_of_ones).max() < 1e-15

# %%
# Fused cross-entropy
# -------------------
#
# Labels are indices or one-hot rows. The fused gradient, ``P - T``, needs no division by a small probability.

z = np.array([[0.2, 0.3, 0.5], [0.6, 0.1, 0.3]])
sure = np.array([[0.2, 0.3, 5.0], [12.0, 0.1, 0.3]])
label = np.array([2, 0])
for rows, mean in ((z, 0.8965588080868547), (sure, 0.008595870610124774)):
    assert np.isclose(softmax.value(rows, label).mean(), mean, rtol=1e-14)
    assert np.isclose(softmax.value(rows, np.eye(3)[label]).mean(), mean, rtol=1e-14)
print(softmax.gradient(sure, label) / 2)
expected = [[4.04479731e-03, 4.47019236e-03, -8.51498967e-03], [-7.54199822e-06, 3.39515119e-06, 4.14684703e-06]]
assert np.allclose(softmax.gradient(sure, label) / 2, expected, rtol=1e-8, atol=1e-16)

# %%
# One entry of a gradient by a one-sided difference with a step of 1e-4 has five digits; central differences, which
# ``check_gradient`` takes, have more than ten.

moved = logits.copy()
moved[1, 1] += 1e-4
one_sided = (softmax.value(moved, labels).mean() - softmax.value(logits, labels).mean()) / 1e-4
exact = softmax.gradient(logits, labels)[1, 1] / 2
print(f"one-sided {one_sided:.10f}, exact {exact:.10f}, {check_gradient(softmax, logits, labels)}")
# The difference in fifty digits; a quotient of doubles has the rounding of a loss, divided by the step.
assert abs(one_sided - 0.199194439446025979353) < 4e-12 * 5
assert 1e-6 < abs(one_sided - exact) < 1e-5
assert check_gradient(softmax, logits, labels).relative_difference < 1e-11

# %%
# Trained by Adam
# ---------------
#
# Adam takes mini-batches and a rate of its own for every coefficient. The objective is convex, so it comes to the same
# minimum as any other solver, and the certificate says how near. For each epoch, the solid line is the objective minus
# the best value that any solver found, and the dashed line is what the certificate promised at that time, without
# knowing that value.

X, y = load_iris(return_X_y=True)
objective = Objective(X, y, SoftmaxLoss(), alpha=1e-2)
best = SoftmaxClassifier(alpha=1e-2, tol=1e-12).fit(X, y).objective_
result = Adam(learning_rate=0.05, batch_size=16, max_epochs=200).solve(objective, tol=1e-4)
values = np.array([iteration.value for iteration in result.history])
proofs = np.array([iteration.measure for iteration in result.history])
print(f"{result.n_iter} epochs: objective {result.value:.6f}, {result.status.value}")
assert np.all(values - best <= proofs * values + 1e-12)
assert result.value / best - 1 < 1e-3

figure, axis = plt.subplots(figsize=(6.5, 3.8), layout="constrained")
axis.semilogy(values / best - 1, label="above the minimum")
axis.semilogy(proofs, "--", label="certified gap")
axis.set(xlabel="epoch of Adam", ylabel="relative to the objective")
axis.legend()
plt.show()
