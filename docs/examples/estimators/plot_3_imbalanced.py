"""
Imbalanced classes: weights, probabilities and decisions
========================================================

Three rows in a hundred are of the class that matters. ``class_weight="balanced"`` finds more of them. It also changes
what the probabilities mean, and there is another way.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss, precision_recall_curve, recall_score
from sklearn.model_selection import train_test_split

from skgradlinear import SigmoidClassifier

plt.style.use("seaborn-v0_8-colorblind")
X, y = make_classification(
    n_samples=20_000, n_features=12, n_informative=6, weights=[0.97], class_sep=0.8, flip_y=0.005, random_state=1
)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
share = y_train.mean()
print(f"{share:.1%} of the rows are positive")

plain = SigmoidClassifier(tol=1e-8).fit(X_train, y_train)
balanced = SigmoidClassifier(tol=1e-8, class_weight="balanced").fit(X_train, y_train)
for name, model in (("plain", plain), ("balanced", balanced)):
    print(f"{name:9s} recall {recall_score(y_test, model.predict(X_test)):.2f}", end="")
    print(f"  mean probability {model.predict_proba(X_train)[:, 1].mean():.3f}")

# %%
# What weights do to probabilities
# --------------------------------
#
# The intercept is free, so its derivative is zero at the minimum: the weighted mean of the probabilities is the
# weighted share of the class. Without weights that is the true share. With balanced weights it is one half, for a
# population that does not exist.

assert abs(plain.predict_proba(X_train)[:, 1].mean() - share) < 1e-5
weight = np.where(y_train == 1, 0.5 / share, 0.5 / (1 - share))
assert abs(np.average(balanced.predict_proba(X_train)[:, 1], weights=weight) - 0.5) < 1e-5

# %%
# A class weight is a factor of the sample weights. One difference remains: the means and deviations that columns are
# standardized with are weighted by ``sample_weight`` and not by ``class_weight``, so the two agree to the tolerance
# without standardization.

options = {"standardize": False, "alpha": 1e-3, "tol": 1e-10}
by_class = SigmoidClassifier(class_weight="balanced", **options).fit(X_train, y_train)
by_row = SigmoidClassifier(**options).fit(X_train, y_train, sample_weight=weight)
print(f"largest difference of a coefficient: {np.abs(by_class.coef_ - by_row.coef_).max():.1e}")
assert np.allclose(by_class.coef_, by_row.coef_, atol=1e-4)

# %%
# Weights multiply the odds of the positive class by a known number, the ratio of the two class weights. Dividing the
# odds by it again, that is, subtracting its logarithm from the logit, brings the probabilities back.

ratio = (1 - share) / share
corrected = 1 / (1 + np.exp(-(balanced.decision_function(X_test) - np.log(ratio))))
losses = {
    "plain": log_loss(y_test, plain.predict_proba(X_test)),
    "balanced": log_loss(y_test, balanced.predict_proba(X_test)),
    "balanced, corrected": log_loss(y_test, corrected),
}
for name, loss in losses.items():
    print(f"log-loss on the test rows, {name:20s} {loss:.4f}")

assert losses["balanced"] > 2 * losses["plain"]
assert losses["balanced, corrected"] < 1.1 * losses["plain"]

# %%
# The decision is a matter of the threshold
# -----------------------------------------
#
# Whoever needs to find more positives need not change the model: with honest probabilities, the best threshold
# follows from the costs. If a missed positive costs as much as nineteen false alarms, say yes from a probability of
# 1/20 on. That costs less than half of the decisions at one half, and about as much as those of the balanced model,
# which has its threshold built in: it is made for a missed positive that costs 30 false alarms, and has to be fitted
# again for others.

threshold = 1 / 20
cost = {}
for name, decision in (
    ("plain, threshold 1/2", plain.predict(X_test)),
    ("balanced, threshold 1/2", balanced.predict(X_test)),
    ("plain, threshold 1/20", plain.predict_proba(X_test)[:, 1] > threshold),
):
    missed, alarms = np.sum((y_test == 1) & (decision == 0)), np.sum((y_test == 0) & (decision == 1))
    cost[name] = 19 * missed + alarms
    print(f"{name:25s} missed {missed:3d}, false alarms {alarms:4d}, cost {cost[name]}")

assert cost["plain, threshold 1/20"] < 0.5 * cost["plain, threshold 1/2"]
assert cost["plain, threshold 1/20"] < 1.1 * cost["balanced, threshold 1/2"]

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
bins = np.linspace(0, 1, 31)
left.hist(plain.predict_proba(X_test)[:, 1], bins, histtype="step", lw=2, label="plain")
left.hist(balanced.predict_proba(X_test)[:, 1], bins, histtype="step", lw=2, ls="--", label="balanced")
left.axvline(share, color="black", lw=1, ls=":", label="share of the class")
left.set(xlabel="probability of the positive class", ylabel="test rows", yscale="log")
left.legend(loc="upper right")
for (name, model), style in zip((("plain", plain), ("balanced", balanced)), ("-", "--"), strict=True):
    precision, recall, _ = precision_recall_curve(y_test, model.decision_function(X_test))
    right.plot(recall, precision, style, label=name)
    decided = model.predict(X_test)
    right.plot(decided[y_test == 1].mean(), y_test[decided == 1].mean(), "o", color="black", mfc="none", ms=9)
right.set(xlabel="recall", ylabel="precision", title="circles: decisions at 1/2")
right.legend(loc="lower left")
plt.show()
