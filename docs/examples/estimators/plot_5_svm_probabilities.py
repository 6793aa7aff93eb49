"""
Probabilities of a support vector machine
=========================================

A hinge gives scores and no probabilities. :class:`~skgradlinear.LinearSVMClassifier` divides the scores by one
temperature; scikit-learn's :class:`~sklearn.calibration.CalibratedClassifierCV` fits a sigmoid or a step function per
class. This page compares the two on the same machine and the same folds.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split

from skgradlinear import LinearSVMClassifier, ReliabilityDisplay, SoftmaxClassifier

plt.style.use("seaborn-v0_8-colorblind")
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)

machine = LinearSVMClassifier().fit(X_train, y_train)
print(f"temperature {machine.temperature_:.2f}, certified gap {machine.duality_gap_:.1e}")

# %%
# Without calibration one might take the softmax of the scores, or of the scores divided by a temperature that was
# fitted on the training rows. This machine makes no error on them, so that temperature would be close to zero and all
# probabilities close to one.

uncalibrated = LinearSVMClassifier(probability=False)
candidates = {
    "temperature": machine.predict_proba(X_test),
    "softmax of the scores": softmax(machine.decision_function(X_test), axis=1),
}
for method in ("sigmoid", "isotonic"):
    calibrated = CalibratedClassifierCV(uncalibrated, method=method, cv=5, ensemble=False).fit(X_train, y_train)
    candidates[f"CalibratedClassifierCV, {method}"] = calibrated.predict_proba(X_test)
candidates["SoftmaxClassifier"] = SoftmaxClassifier().fit(X_train, y_train).predict_proba(X_test)

losses = {}
for name, probability in candidates.items():
    losses[name] = log_loss(y_test, probability)
    accuracy = accuracy_score(y_test, machine.classes_[probability.argmax(axis=1)])
    print(f"{name:36s} log-loss {losses[name]:.3f}  accuracy {accuracy:.3f}")

# %%
# The temperature has the lowest log-loss of the four that belong to the machine. As one positive number divides all
# scores, the most probable class is always the predicted one; the per-class methods change some decisions.

assert machine.score(X_train, y_train) == 1
assert min(losses, key=losses.get) in ("temperature", "SoftmaxClassifier")
assert losses["temperature"] < min(loss for name, loss in losses.items() if "Calibrated" in name)
assert (machine.classes_[candidates["temperature"].argmax(axis=1)] == machine.predict(X_test)).all()

# %%
# Reliability
# -----------
#
# Of the rows whose most probable class gets a probability of 80 %, four in five should be of that class. Points below
# the diagonal are claims that are too sure, points above it are too modest.

figure, axis = plt.subplots(figsize=(6.4, 5.6), layout="constrained")
for name, probability in candidates.items():
    display = ReliabilityDisplay.from_predictions(y_test, probability, ax=axis, name=name)
    print(f"{name:36s} expected calibration error {display.calibration_error[name]:.3f}")
    if name == "temperature":
        assert display.calibration_error[name] < 0.05

# %%
# The three hinges
# ----------------
#
# With several classes there are three ways to add up violations. The scores of each have a scale of their own, and each
# gets a temperature of its own.

for multi_class in ("weston_watkins", "crammer_singer", "ovr"):
    other = LinearSVMClassifier(multi_class=multi_class).fit(X_train, y_train)
    loss = log_loss(y_test, other.predict_proba(X_test))
    print(
        f"{multi_class:15s} temperature {other.temperature_:.2f}  accuracy {other.score(X_test, y_test):.3f}", end="  "
    )
    print(f"log-loss {loss:.3f}")
    assert other.duality_gap_ <= other.tol
    assert loss < 0.3
    assert np.allclose(other.predict_proba(X_test).sum(axis=1), 1)
plt.show()
