r"""
Images: softmax against the multiclass hinge
============================================

Two linear classifiers of images: the softmax loss and the hinge :math:`\sum_{j \ne y} \max(0, 1 + s_j - s_y)` of
Weston and Watkins, both with a squared penalty. Images are standardized one by one, and gradients are checked with the
relative difference. Courses do this with MNIST's 60,000 images of 28 x 28 pixels; here it is done with the 1,797 images
of 8 x 8 pixels that come with scikit-learn, so that it runs anywhere in seconds.
"""

# %%
# Each image on a scale of its own
# --------------------------------
#
# An image minus its mean, divided by its deviation, has lost its brightness and contrast. This is about rows; it is not
# the standardization of columns that the estimators do, and it has its place in a pipeline in front of them.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skgradlinear import LinearSVMClassifier, Objective, SoftmaxClassifier, check_gradient
from skgradlinear.losses import SoftmaxLoss, WestonWatkinsHinge

plt.style.use("seaborn-v0_8-colorblind")


def standardize_rows(X):
    """Each row minus its mean, divided by its standard deviation."""
    return (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True)


X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
rows = standardize_rows(X_train)
assert np.allclose(rows.mean(axis=1), 0)
assert np.allclose(rows.std(axis=1), 1)

# %%
# The two losses
# --------------
#
# With untrained weights all ten scores are equal: the softmax loss is :math:`\log 10`, and all nine wrong classes
# violate the margin of the hinge.

zeros = np.zeros((4, 10))
print(SoftmaxLoss().value(zeros, np.arange(4)), WestonWatkinsHinge().value(zeros, np.arange(4)))
assert np.allclose(SoftmaxLoss().value(zeros, np.arange(4)), np.log(10))
assert np.allclose(WestonWatkinsHinge().value(zeros, np.arange(4)), 9)

# %%
# A hinge with loops over images and classes is easy to believe and slow. It gives what the losses of the package give
# for all images at once.


def hinge_with_loops(scores, labels):
    """Mean hinge and its gradient in the scores."""
    total, gradient = 0.0, np.zeros_like(scores)
    for i, label in enumerate(labels):
        for j in range(scores.shape[1]):
            violation = 1 + scores[i, j] - scores[i, label]
            if j != label and violation > 0:
                total += violation
                gradient[i, j] += 1
                gradient[i, label] -= 1
    return total / len(labels), gradient / len(labels)


scores = rows[:200] @ np.random.default_rng(0).standard_normal((64, 10))
value, gradient = hinge_with_loops(scores, y_train[:200])
vectorized, vectorized_gradient = WestonWatkinsHinge().value_and_gradient(scores, y_train[:200])
assert np.isclose(vectorized.mean(), value, rtol=1e-12)
assert np.allclose(vectorized_gradient / 200, gradient, atol=1e-15)

# %%
# The gradient check
# ------------------
#
# The relative difference :math:`\lVert a - n \rVert / \lVert a + n \rVert` of the gradient by hand and the numerical
# one. With one-sided differences, courses are content with 1e-7. The differences of ``check_gradient`` are of fourth
# order and take smaller steps near a kink of the hinge, where a difference across it would be wrong.

ten = np.array([np.flatnonzero(y_train == digit)[0] for digit in range(10)])
weights = 1e-4 * np.random.default_rng(1).standard_normal((65, 10))
for loss in (SoftmaxLoss(), WestonWatkinsHinge()):
    objective = Objective(rows[ten], y_train[ten], loss, alpha=0.1, standardize=False)
    check = check_gradient(objective, weights)
    print(f"{type(loss).__name__:20s} {check}")
    assert check.analytic.shape == (65, 10)
    assert check.relative_difference < 1e-9

# %%
# Training
# --------
#
# Rows are standardized in a pipeline. Columns are left alone, since pixels share a scale. In ``reg / 2 * sum(W^2)``,
# ``reg`` is ``alpha``.

models = {}
for classifier in (
    SoftmaxClassifier(alpha=1e-3, standardize=False),
    LinearSVMClassifier(alpha=1e-2, standardize=False, probability=False),
):
    model = make_pipeline(FunctionTransformer(standardize_rows), classifier).fit(X_train, y_train)
    name = type(classifier).__name__
    models[name] = model
    print(f"{name:20s} train {model.score(X_train, y_train):.3f}  test {model.score(X_test, y_test):.3f}", end="  ")
    print(f"certified gap {model[-1].duality_gap_:.1e}")
    assert model.score(X_test, y_test) > 0.93
    assert model[-1].duality_gap_ <= model[-1].tol

# %%
# The weights of the two, as images. The hinge looks only at the images within the margin.

figure, axes = plt.subplots(2, 10, figsize=(10, 2.6), layout="constrained")
for line, (name, model) in zip(axes, models.items(), strict=True):
    limit = np.abs(model[-1].coef_).max()
    for digit, axis in enumerate(line):
        axis.imshow(model[-1].coef_[digit].reshape(8, 8), cmap="RdBu_r", vmin=-limit, vmax=limit)
        axis.set(xticks=[], yticks=[], title=digit)
    line[0].set_ylabel("softmax" if name == "SoftmaxClassifier" else "hinge")
plt.show()
