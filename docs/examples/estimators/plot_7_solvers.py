"""
Five solvers and the default race for one minimum
=================================================

The objective is convex, so every solver that comes to rest comes to the same minimum. They differ in what an iteration
costs and in how many it takes. Each of them reports the gap that it has proved.
"""

# %%
# One problem
# -----------
#
# Softmax regression on handwritten digits, standardized, with the default penalty. All solvers start from zeros and
# stop at a relative gap of 1e-6, or after 300 iterations. An iteration of the three first-order solvers is an epoch:
# every row is used once. Those with mini-batches report a running average of their parameters, without which they
# would wander about the minimum at a distance.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from skgradlinear import Objective, SoftmaxClassifier
from skgradlinear.losses import SoftmaxLoss
from skgradlinear.solvers import LBFGS, SGD, Adam, GradientDescent, NewtonCG, SubspaceNewton

plt.style.use("seaborn-v0_8-colorblind")
X, y = load_digits(return_X_y=True)
alpha = SoftmaxClassifier().fit(X, y).alpha_
objective = Objective(X, y, SoftmaxLoss(), alpha=alpha)
best = SubspaceNewton().solve(objective, tol=1e-12).value

solvers = {
    "GradientDescent": GradientDescent(),
    "SGD": SGD(learning_rate=0.1, momentum=0.9, averaging=True, max_epochs=300),
    "Adam": Adam(learning_rate=0.01, averaging=True, max_epochs=300),
    "LBFGS": LBFGS(),
    "NewtonCG": NewtonCG(),
    "SubspaceNewton, the default": SubspaceNewton(),
}
results = {name: solver.solve(objective, tol=1e-6, max_iter=300) for name, solver in solvers.items()}
for name, result in results.items():
    above = result.value / best - 1
    print(f"{name:28s} {result.n_iter:4d} iterations, {result.history[-1].seconds:5.2f} s,", end="  ")
    print(f"above the minimum {above:8.1e}, certified {result.measure:8.1e}")

# %%
# Whatever the solver, the certificate holds: the true distance from the minimum is never larger than the gap that was
# reported.

for result in results.values():
    for iteration in result.history:
        assert iteration.value - best <= iteration.measure * iteration.value + 1e-12
for name in ("LBFGS", "NewtonCG", "SubspaceNewton, the default"):
    assert results[name].measure <= 1e-6
for name in ("GradientDescent", "SGD", "Adam"):
    assert results[name].value / best - 1 < 0.01

# %%
# The race
# --------
#
# Above, how far the objective is from the minimum, against iterations and against seconds, in which the certificates
# are included. Below, what is known without knowing the minimum: the certified gap.

figure, axes = plt.subplots(2, 2, figsize=(9.5, 6.4), sharex="col", layout="constrained")
colours = ("#0072B2", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "black")
styles = ("o-", "s--", "D:", "^-", "v--", "P-")
for (name, result), colour, style in zip(results.items(), colours, styles, strict=True):
    points = [(i.n_iter, i.seconds, i.value, i.measure) for i in result.history[1:]]
    # What is returned is the best point, with its bias polished and its proof renewed.
    points.append((result.n_iter, result.history[-1].seconds, result.value, result.measure))
    count, seconds, value, proved = np.array(points).T
    some = np.unique(np.geomspace(1, len(count), 10).astype(int) - 1).tolist()
    options = {"markevery": some, "ms": 5, "color": colour, "label": name}
    for line, height in zip(axes, (np.maximum(value / best - 1, 1e-9), proved), strict=True):
        for axis, along in zip(line, (count, seconds), strict=True):
            axis.loglog(along, height, style, **options)
for axis in axes.flat:
    axis.axhline(1e-6, color="grey", lw=0.8)
    axis.set_ylim(1e-8, 1e2)
    axis.grid(alpha=0.3)
axes[1, 0].set_xlabel("iterations (epochs of the first three)")
axes[1, 1].set_xlabel("seconds")
axes[0, 0].set_ylabel("above the minimum")
axes[1, 0].set_ylabel("certified gap")
figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)

# %%
# In an estimator
# ---------------
#
# A solver object is a parameter like any other, and its own parameters can be searched. Thirty epochs are not enough
# for every rate of the grid, which the fits would warn about.

model = SoftmaxClassifier(solver=Adam(max_epochs=30), tol=0.1)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)
    search = GridSearchCV(model, {"solver__learning_rate": [0.001, 0.003, 0.01]}, cv=3, scoring="neg_log_loss")
    search.fit(X, y)
print(search.best_params_, f"log-loss {-search.best_score_:.3f}")
assert -search.best_score_ < 0.5
plt.show()
