"""
Text: which package does a paragraph describe?
==============================================

A pipeline of :class:`~sklearn.feature_extraction.text.TfidfVectorizer` and a classifier, with strings as labels. The
texts are paragraphs of the documentation that is installed with SciPy: some 2,400, from seven of its packages.
"""

# %%
# The corpus
# ----------
#
# A docstring is split at its empty lines. Code, links, tables and headings are left out, and so are paragraphs that
# occur in more than one package, which no classifier can tell apart.

import importlib
import inspect
import re
from collections import defaultdict

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline

from skgradlinear import CoefficientDisplay, SoftmaxClassifier

plt.style.use("seaborn-v0_8-colorblind")
packages = ["integrate", "interpolate", "linalg", "ndimage", "optimize", "signal", "sparse"]
found = defaultdict(set)
for package in packages:
    module = importlib.import_module(f"scipy.{package}")
    for name in module.__all__:
        for paragraph in (inspect.getdoc(getattr(module, name)) or "").split("\n\n"):
            if re.match(r"[A-Z]", paragraph) and len(paragraph) > 80 and not re.search(">>>|http", paragraph):
                found[" ".join(paragraph.split())].add(package)

texts = sorted(text for text, owners in found.items() if len(owners) == 1)
labels = np.array([next(iter(found[text])) for text in texts])
print(f"{len(texts)} paragraphs; the first: {texts[0][:90]!r}...")
for package, count in zip(*np.unique(labels, return_counts=True), strict=True):
    print(f"{count:5d} of scipy.{package}")

# %%
# The pipeline
# ------------
#
# The vectorizer returns a sparse matrix. With ``standardize="auto"`` sparse columns are left as they are: dividing the
# columns of a TF-IDF matrix by their deviations would inflate the rarest words.

text_train, text_test, y_train, y_test = train_test_split(texts, labels, test_size=0.3, stratify=labels, random_state=0)
pipeline = make_pipeline(
    TfidfVectorizer(sublinear_tf=True, stop_words="english", min_df=2, token_pattern=r"(?u)\b[a-z]{3,}\b"),
    SoftmaxClassifier(),
)
search = GridSearchCV(pipeline, {"softmaxclassifier__alpha": np.logspace(-6, -2, 5)}, cv=3, scoring="neg_log_loss")
search.fit(text_train, y_train)
model = search.best_estimator_[-1]
accuracy = search.best_estimator_.score(text_test, y_test)
most_frequent = np.mean(y_test == max(packages, key=list(y_train).count))
print(f"alpha = {model.alpha_:.0e}, {model.n_features_in_} words, certified gap {model.duality_gap_:.0e}")
print(f"accuracy {accuracy:.3f}; always the most frequent package: {most_frequent:.3f}")

assert accuracy > 0.75 > 2 * most_frequent
assert model.duality_gap_ <= model.tol

# %%
# What the classifier has learnt
# ------------------------------
#
# The words with the largest coefficients of each class.

words = search.best_estimator_[0].get_feature_names_out()
CoefficientDisplay.from_estimator(model, feature_names=words, top=8, units="original")

top_words = {
    package: set(words[np.argsort(row)[-20:]]) for package, row in zip(model.classes_, model.coef_, strict=True)
}
assert "matrix" in top_words["linalg"]
assert "filter" in top_words["signal"]

# %%
# A sentence of one's own gets a probability for each package.

sentence = "Remove the noise of a recording with a band-pass filter of low order."
for package, p in zip(model.classes_, search.predict_proba([sentence])[0], strict=True):
    print(f"{package:12s} {p:.3f}")
assert search.predict([sentence])[0] == "signal"
plt.show()
