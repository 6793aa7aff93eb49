"""
Handwritten digits: what a linear classifier looks at
=====================================================

Multinomial logistic regression on small images of digits. Its coefficients have one number per pixel and class, so they
are images themselves: they show which pixels speak for a class, and which against it.
"""

# %%
# The data come with scikit-learn: 1,797 images of 8 x 8 pixels. The pixels share one unit, so there is no need to
# standardize them (see :doc:`/how_to_choose`).

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import train_test_split

from skgradlinear import CoefficientDisplay, SoftmaxClassifier

plt.style.use("seaborn-v0_8-colorblind")
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)

model = SoftmaxClassifier(standardize=False, alpha=1e-2).fit(X_train, y_train)
accuracy = model.score(X_test, y_test)
print(f"accuracy on the test images {accuracy:.3f}")
print(f"objective {model.objective_:.5f}, certified to within {model.duality_gap_:.1e} of its minimum")

assert accuracy > 0.95
assert model.duality_gap_ <= model.tol

# %%
# The weights as images
# ---------------------
#
# Red pixels raise the logit of the class, blue ones lower it. The weights of all classes add up to zero in each
# pixel, because adding one number to all logits changes no probability and the penalty then picks the smallest weights.

# The gap bounds the distance from weights for which the sum is exactly zero, by strong convexity.
distance = np.sqrt(2 * model.duality_gap_ * model.objective_ / model.alpha_)
assert np.linalg.norm(model.coef_.sum(axis=0)) <= np.sqrt(10) * distance

CoefficientDisplay.from_estimator(model, image_shape=(8, 8), units="original")

# %%
# A strong penalty spreads the weight over many pixels. A weak one lets a few of them dominate, and the weights grow.

figure, axes = plt.subplots(1, 3, figsize=(8, 3), layout="constrained")
for alpha, axis in zip((100, 1e-2, 1e-6), axes, strict=True):
    eight = SoftmaxClassifier(standardize=False, alpha=alpha).fit(X_train, y_train)
    weight = eight.coef_[8].reshape(8, 8)
    axis.imshow(weight, cmap="RdBu_r", vmin=-np.abs(weight).max(), vmax=np.abs(weight).max())
    title = (
        f"alpha = {alpha:g}, test accuracy {eight.score(X_test, y_test):.3f}\nlargest weight {np.abs(weight).max():.2g}"
    )
    axis.set_title(title, fontsize=9)
    axis.set(xticks=[], yticks=[])
figure.suptitle("weights of the digit 8")

# %%
# Which digits are confused
# -------------------------

figure, axis = plt.subplots(figsize=(5, 4.5), layout="constrained")
ConfusionMatrixDisplay.from_estimator(model, X_test, y_test, ax=axis, cmap="Blues", colorbar=False)

# %%
# The images that the model is least sure about are hard for people, too. Its probabilities say so.

probability = model.predict_proba(X_test)
hardest = np.argsort(probability.max(axis=1))[:5]
figure, axes = plt.subplots(1, 5, figsize=(8, 2.2), layout="constrained")
for row, axis in zip(hardest, axes, strict=True):
    first, second = np.argsort(probability[row])[::-1][:2]
    axis.imshow(X_test[row].reshape(8, 8), cmap="Greys")
    title = f"a {y_test[row]}: {first} ({probability[row, first]:.0%}), {second} ({probability[row, second]:.0%})"
    axis.set_title(title, fontsize=8)
    axis.set(xticks=[], yticks=[])

assert probability[hardest].max() < 0.7
plt.show()
