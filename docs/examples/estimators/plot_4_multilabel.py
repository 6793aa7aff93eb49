"""
Several labels per row
======================

A row may have several labels, or none. :class:`~skgradlinear.SigmoidClassifier` takes an indicator matrix and fits one
logistic regression per label, all of them at once.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import f1_score, label_ranking_average_precision_score
from sklearn.model_selection import train_test_split

from skgradlinear import SigmoidClassifier

plt.style.use("seaborn-v0_8-colorblind")
X, Y = make_multilabel_classification(
    n_samples=2_000, n_features=30, n_classes=6, n_labels=2, allow_unlabeled=True, random_state=0
)
X_train, X_test, Y_train, Y_test = train_test_split(X, Y, random_state=0)
print(
    f"{Y.shape[1]} labels, {Y.sum(axis=1).mean():.1f} per row; {np.mean(Y.sum(axis=1) == 0):.0%} of the rows have none"
)

model = SigmoidClassifier(tol=1e-8).fit(X_train, Y_train)
probability = model.predict_proba(X_test)
print(f"coef_ {model.coef_.shape}, predict_proba {probability.shape}, gap {model.duality_gap_:.0e}")

# %%
# Each label is a question of its own, so the probabilities of a row add up to the expected number of its labels and not
# to one. Over the training rows, each label's mean probability is its share.

assert np.allclose(model.predict_proba(X_train).mean(axis=0), Y_train.mean(axis=0), atol=1e-5)
assert probability.sum(axis=1).max() > 2

# %%
# One fit of six labels is the same as six fits, up to the tolerance:

one_by_one = np.vstack([SigmoidClassifier(tol=1e-8).fit(X_train, label).coef_ for label in Y_train.T])
print(f"largest difference of a coefficient: {np.abs(one_by_one - model.coef_).max():.1e}")
assert np.allclose(one_by_one, model.coef_, atol=1e-4)

# %%
# Thresholds
# ----------
#
# ``predict`` says yes from one half on, which is best for the number of wrong entries. Other scores want other
# thresholds. F1, for one, is best at a lower one; it is chosen on the training rows.

grid = np.linspace(0.05, 0.95, 37)
train_probability = model.predict_proba(X_train)
by_label = np.array([f1_score(Y_train, train_probability > t, average=None, zero_division=0) for t in grid])
macro = by_label.mean(axis=1)
best = grid[macro.argmax()]
at_half, at_best = (f1_score(Y_test, probability > t, average="macro") for t in (0.5, best))
print(f"macro F1 on the test rows: {at_half:.3f} at 0.5, {at_best:.3f} at {best:.3f}")
print(f"ranking of the labels: average precision {label_ranking_average_precision_score(Y_test, probability):.3f}")
assert at_best > at_half

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
left.plot(grid, by_label, color="grey", lw=0.8, label=["each label", *["_"] * 5])
left.plot(grid, macro, lw=2.5, label="their mean")
left.axvline(best, color="black", lw=1, ls=":")
left.set(xlabel="threshold", ylabel="F1 on the training rows")
left.legend(loc="lower left")
rows = np.argsort(probability.sum(axis=1))[:: len(probability) // 12]
image = right.imshow(probability[rows], cmap="cividis", vmin=0, vmax=1, aspect="auto")
for i, j in np.argwhere(Y_test[rows] == 1):
    right.plot(j, i, "o", mfc="none", mec="white" if probability[rows[i], j] < 0.6 else "black", ms=8)
right.set(xlabel="label", ylabel="test row", yticks=[], title="circles: labels that the row has")
figure.colorbar(image, ax=right, label="probability")
plt.show()
