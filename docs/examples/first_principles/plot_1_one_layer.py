"""
One layer, from the data to the boundary
========================================

The first exercise of many courses: points in the plane that a line separates, a layer with a sigmoid or a softmax, its
gradient by hand and by differences, gradient descent with a rate of 0.1, and a picture of the boundary while it learns.
"""

# %%
# Data with a known boundary
# --------------------------
#
# Points are drawn, and a line with a known normal vector decides their labels.

import cProfile
import pstats
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.inspection import DecisionBoundaryDisplay

from skgradlinear import (
    BoundaryAnimation,
    LossCurveDisplay,
    Objective,
    SigmoidClassifier,
    SoftmaxClassifier,
    check_gradient,
)
from skgradlinear.losses import SigmoidLoss, SoftmaxLoss
from skgradlinear.solvers import GradientDescent

plt.style.use("seaborn-v0_8-colorblind")


def separable_points(n_points, random):
    """Points in the plane and the side of a random line that each is on."""
    normal = random.standard_normal(2)
    normal /= np.linalg.norm(normal)
    offset = 0.3
    points = random.standard_normal((n_points, 2)) * [3.0, 1.0] + [1.0, -2.0]
    side = (points - points.mean(axis=0)) @ normal > offset
    return points, side.astype(int), normal


random = np.random.default_rng(0)
X, y, normal = separable_points(500, random)
print(f"{len(X)} points, {y.mean():.0%} of them on the positive side")

# %%
# The bias is one more row of the parameters, as if the points had a third coordinate ``x0 = 1``. Columns are
# standardized within the objective.

layer = Objective(X, y, SigmoidLoss())
print(f"parameters of shape {layer.shape}: two weights and the bias")
standardized = (X - X.mean(axis=0)) / X.std(axis=0)
params = random.standard_normal(layer.shape)
with_ones = np.column_stack([standardized, np.ones(len(X))])
assert np.allclose(layer.logits(params), with_ones @ params)

# %%
# The gradient is ``P - T``
# -------------------------
#
# The derivative of the cross-entropy in the logits is the probability minus the target, for the softmax and for the
# sigmoid. Targets are integers or one-hot rows.

logits = np.array([[0.4, 0.0, -4.0, -1.0], [0.4, 0.0, -4.0, -10.0]])
labels = np.array([1, 3])
one_hot = np.eye(4)[labels]
softmax = SoftmaxLoss()
gradient = softmax.gradient(logits, labels)
print(np.round(gradient / 2, 8))  # of the mean of two rows

expected = [[0.25917555, -0.32626944, 0.00318199, 0.0639119], [0.29715425, 0.19918845, 0.00364826, -0.49999096]]
assert np.allclose(gradient / 2, expected, atol=1e-8)
assert np.allclose(gradient, softmax.proba(logits) - one_hot, atol=1e-15)
assert np.allclose(gradient, softmax.gradient(logits, one_hot), atol=1e-15)

# %%
# A numerical gradient comes from two values of the function. ``check_gradient`` compares it with the one by hand, for a
# loss, for the whole layer, and for any function that returns its value and its gradient.

for name, check in (
    ("softmax", check_gradient(softmax, logits, labels)),
    ("the layer", check_gradient(layer, params)),
    ("a function", check_gradient(lambda w: (np.sum(w**2), 2 * w), [1.0, -2.0])),
):
    print(f"{name:10s} {check}")
    assert check.relative_difference < 1e-9

# %%
# Gradient descent
# ----------------
#
# Plain gradient descent with a rate of 0.1, from small uniform weights. A callback sees every iteration and its
# parameters, which are kept for the picture. What a solver reports of its weights is their loss with the best bias for
# them, which the certificate needs.

classifiers = {"sigmoid, one column": SigmoidLoss(), "softmax, two columns": SoftmaxLoss()}
descent = GradientDescent(learning_rate=0.1, momentum=0.0, init="uniform", max_epochs=275)
curves, kept = {}, {}
for name, loss in classifiers.items():
    objective = Objective(X, y, loss, n_outputs=1 if isinstance(loss, SigmoidLoss) else 2)
    steps = []
    result = descent.solve(objective, tol=1e-9, callback=lambda _, params, steps=steps: steps.append(params.copy()))
    curves[name] = np.array([iteration.value for iteration in result.history])
    kept[name] = objective, steps
    start, middle, end = curves[name][[0, 100, 275]]
    print(f"{name:22s} loss {start:.4f} -> {middle:.4f} in 100 steps -> {end:.4f} in 175 more")
    # From the loss of guessing, log 2, to less than half of it, and on without going up.
    assert abs(start - np.log(2)) < 0.4
    assert middle < 0.5 * start
    assert end < 0.75 * middle
    assert np.all(np.diff(curves[name]) < 0)

# %%
# Two columns of a softmax learn twice as fast as one of a sigmoid: their difference is the logit, and each of the two
# moves. As the points can be separated, the loss has no minimum and goes on falling.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for (name, curve), style in zip(curves.items(), ("-", "--"), strict=True):
    left.plot(curve, style, label=name)
left.set(xlabel="iteration", ylabel="mean loss", ylim=(0, None))
left.legend()

objective, steps = kept["sigmoid, one column"]
right.scatter(*X[y == 0].T, s=8, marker="o", alpha=0.5)
right.scatter(*X[y == 1].T, s=14, marker="x", alpha=0.7)
across = np.array([X[:, 0].min(), X[:, 0].max()])
for step, shade in zip((0, 5, 20, 275), (0.75, 0.55, 0.3, 0.0), strict=True):
    (w0, w1), (b,) = (part.ravel() for part in objective.to_original_units(steps[step]))
    right.plot(across, -(w0 * across + b) / w1, color=str(shade), lw=2, label=f"step {step}")
right.set(xlim=across, ylim=(X[:, 1].min(), X[:, 1].max()), xlabel="$x_1$", ylabel="$x_2$", title="the boundary")
right.legend(loc="upper left", fontsize=8, framealpha=0.9)

coefficients = objective.to_original_units(steps[-1])[0].ravel()
angle = np.degrees(np.arccos(coefficients @ normal / np.linalg.norm(coefficients)))
print(f"the learnt normal vector is {angle:.1f} degrees from the true one")
assert angle < 5

# %%
# The estimators do all of this
# -----------------------------
#
# They take the same solver, and a penalty gives them a minimum with a proof of how near they came.

for Classifier in (SigmoidClassifier, SoftmaxClassifier):
    model = Classifier(solver=GradientDescent()).fit(X, y)
    print(f"{Classifier.__name__}: accuracy {model.score(X, y):.3f}, gap {model.duality_gap_:.1e}", end="")
    print(f" after {model.n_iter_} steps of gradient descent")
    assert model.score(X, y) > 0.99
    assert model.duality_gap_ <= model.tol

figure, axis = plt.subplots(figsize=(5, 3.8), layout="constrained")
DecisionBoundaryDisplay.from_estimator(
    model,
    X,
    response_method="predict_proba",
    cmap="PuOr",
    vmin=0,
    vmax=1,
    alpha=0.5,
    ax=axis,
    xlabel="$x_1$",
    ylabel="$x_2$",
)
axis.scatter(*X[y == 0].T, s=8, marker="o", color="black", alpha=0.6)
axis.scatter(*X[y == 1].T, s=14, marker="x", color="black", alpha=0.6)
axis.set_title("probability of the second class")

# %%
# :class:`~skgradlinear.BoundaryAnimation` looks at a model after each iteration of its fit. Four of its frames are
# drawn here; ``animation.save("boundary.gif")`` writes them all to a file.

slow = GradientDescent(learning_rate=0.1, momentum=0.0, max_epochs=100)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)  # a hundred steps of this rate are not enough
    slowly = SigmoidClassifier(solver=slow).fit(X, y)
    animation = BoundaryAnimation.from_estimator(SigmoidClassifier(solver=slow), X, y, grid_resolution=300)
figure, axes = plt.subplots(1, 4, figsize=(10, 3), sharex=True, sharey=True, layout="constrained")
plt.close(animation.figure_)
for axis, frame in zip(axes, (0, 2, 6, len(animation.titles) - 1), strict=True):
    animation.plot(axis, markersize=4).show_frame(frame)
    axis.get_legend().remove()
    axis.label_outer()

# %%
# :class:`~skgradlinear.LossCurveDisplay` draws what the fits have stored.

LossCurveDisplay.from_estimator({"rate 0.1, no momentum": slowly, "automatic": model}, quantity="gap")

# %%
# Where the time goes
# -------------------
#
# Python's own profiler shows the functions that take longest. A pass over the rows is a few products of matrices.

profile = cProfile.Profile()
profile.runcall(descent.solve, kept["softmax, two columns"][0], tol=1e-9)
with TemporaryDirectory() as folder:
    file = Path(folder) / "descent.prof"
    profile.dump_stats(file)
    stats = pstats.Stats(str(file))
slowest = sorted(stats.stats.items(), key=lambda item: item[1][2], reverse=True)[:5]
for (path, _, function), (_, calls, own_seconds, *_) in slowest:
    print(f"{own_seconds:.4f} s in {calls:6d} calls of {Path(path).name}:{function}")
plt.show()
