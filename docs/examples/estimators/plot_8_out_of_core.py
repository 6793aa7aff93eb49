"""
Out of core: a file that is read in pieces
==========================================

``partial_fit`` learns from one chunk of rows after the other and keeps nothing of their size. Here the rows are in a
text file, of which a thousand lines at a time are in memory.
"""

# %%
# A file
# ------
#
# Twenty thousand rows with a label in front, on columns of very different units. They are in no particular order, as
# files should be before they are learnt from in pieces: a chunk is taken for a sample of all rows.

from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_classification

from skgradlinear import SoftmaxClassifier
from skgradlinear.solvers import SGD

plt.style.use("seaborn-v0_8-colorblind")
X, y = make_classification(
    n_samples=20_000,
    n_features=20,
    n_informative=10,
    n_classes=4,
    n_clusters_per_class=1,
    class_sep=0.7,
    random_state=0,
)
X *= np.logspace(-2, 3, X.shape[1])
folder = TemporaryDirectory()
file = Path(folder.name) / "rows.csv"
np.savetxt(file, np.column_stack([y, X]), delimiter=",", fmt="%.8g")
print(f"{file.stat().st_size / 1e6:.1f} MB")


def chunks(path, n_rows):
    """Columns and labels of so many lines of a file at a time."""
    with path.open() as lines:
        while piece := list(islice(lines, n_rows)):
            table = np.loadtxt(piece, delimiter=",", ndmin=2)
            yield table[:, 1:], table[:, 0].astype(int)


# %%
# Learning from it
# ----------------
#
# All classes have to be known at the first call, since the first chunk may lack some. The means and deviations of the
# columns are those of the rows so far; earlier coefficients are expressed in the new units whenever these move.

alpha = 1e-3
model = SoftmaxClassifier(alpha=alpha)
whole = SoftmaxClassifier(alpha=alpha, tol=1e-8).fit(X, y)
above, rows_read = [], []
for _ in range(3):
    for columns, labels in chunks(file, 1000):
        model.partial_fit(columns, labels, classes=range(4))
        above.append(model.certificate(X, y)[0] / whole.objective_ - 1)
        rows_read.append(model.t_)
for reading in range(3):
    print(f"after {reading + 1} readings of the file: {above[20 * reading + 19]:.1e} above the minimum")
assert above[-1] < 0.01

# %%
# What is known of the result
# ---------------------------
#
# A stream has no objective of its own. On rows that are at hand, those of a sample for example, ``certificate`` gives
# the objective of the coefficients and how far at most they are from the best ones for these rows.

objective, gap = model.certificate(X, y)
print(f"objective {objective:.5f}, certified to within {gap:.1e}; accuracy {model.score(X, y):.4f}")
print(f"one fit of all rows: objective {whole.objective_:.5f}, accuracy {whole.score(X, y):.4f}")
assert objective / whole.objective_ - 1 <= gap
assert abs(model.score(X, y) - whole.score(X, y)) < 0.005

figure, axis = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
axis.semilogy(np.array(rows_read) / len(X), above, "o-", ms=3)
axis.axhline(0.01, color="grey", lw=0.8, ls="--")
axis.text(3, 0.011, "1 %", ha="right")
axis.set(xlabel="readings of the file", ylabel="objective above its minimum,\nrelative", xlim=(0, 3.05))

# %%
# With stochastic steps
# ---------------------
#
# With a solver object, a chunk is an epoch of it. That is cheaper for each chunk, and comes less near.

stochastic = SoftmaxClassifier(alpha=alpha, solver=SGD(averaging=True))
for _ in range(3):
    for columns, labels in chunks(file, 1000):
        stochastic.partial_fit(columns, labels, classes=range(4))
distance = stochastic.certificate(X, y)[0] / whole.objective_ - 1
print(f"SGD, three readings: {distance:.1e} above the minimum")
assert distance < 0.05
folder.cleanup()
plt.show()
