import numpy as np
import scipy.sparse as sp
from benchopt import BaseDataset


class Dataset(BaseDataset):
    """Rows in the likeness of hard real ones: see `make`."""

    name = "generated"
    parameters = {
        "kind, n, d, n_classes": [
            ("heavy_tailed", 50_000, 116, 5),
            ("sparse", 20_000, 5_000, 5),
            ("multilabel", 10_000, 100, 20),
        ]
    }

    def get_data(self):
        X, y = make(self.kind, self.n, self.d, self.n_classes)
        return {"X": X, "y": y}


def make(kind, n, d, n_classes=5, density=0.01, seed=0):
    """Rows X and labels y.

    "heavy_tailed" is badly scaled: a third of the columns log-normal counts over six orders of magnitude, the others
    indicators of which most are rare; four fifths of the rows repeat earlier ones; two classes hold 95 % of the rows.
    "multilabel" are correlated Gaussian columns, and indicators y of labels, of which a quarter apply. "normal" are
    Gaussian columns, "sparse" a CSR matrix of positive entries with Zipf-distributed columns.
    """
    random = np.random.default_rng(seed)
    truth = random.standard_normal((d, n_classes))
    if kind == "sparse":
        per_row = max(1, round(density * d))
        popularity = 1 / np.arange(1, d + 1)
        columns = random.choice(d, size=(n, per_row), p=popularity / popularity.sum())
        X = sp.csr_matrix((np.ones(columns.size), columns.ravel(), np.arange(0, columns.size + 1, per_row)), (n, d))
        X.sum_duplicates()
        X = X.multiply(1 / np.sqrt(X.multiply(X).sum(axis=1))).tocsr()
        logits = 4 * (X @ truth)
    elif kind == "multilabel":
        mixed = random.standard_normal((d, d), dtype=np.float32) * np.geomspace(1, 0.1, d, dtype=np.float32)
        X = random.standard_normal((n, d), dtype=np.float32) @ mixed
        logits = 3 * (X @ truth) / np.sqrt((X @ truth).var(axis=0)) - 2
        return X, (logits + random.logistic(size=logits.shape) > 0).astype(int)
    elif kind == "normal":
        X = random.standard_normal((n, d), dtype=np.float32)
        logits = 2 * (X @ truth) / np.sqrt(d)
    elif kind == "heavy_tailed":
        n_kinds = max(n // 5, 100)
        n_counts = d // 3
        scales = 10 ** random.uniform(-2, 4, n_counts)
        counts = np.exp(2 * random.standard_normal((n_kinds, n_counts))) * scales
        shares = 10 ** random.uniform(-4, -0.5, d - n_counts)
        flags = random.random((n_kinds, d - n_counts)) < shares
        kinds = np.hstack([counts, flags])
        X = kinds[random.integers(n_kinds, size=n)].astype(np.float32)
        ranks = np.hstack([np.log(counts / scales) / 2, (flags - shares) / np.sqrt(shares)])
        lookup = {row.tobytes(): i for i, row in enumerate(kinds.astype(np.float32))}
        which = np.array([lookup[row.tobytes()] for row in X])
        logits = 3 * (np.clip(ranks, -5, 5) @ truth)[which] / np.sqrt(d) + np.array([6, 5, 1, 0, -1])[:n_classes]
    else:
        raise ValueError(f"kind must be 'normal', 'heavy_tailed', 'multilabel' or 'sparse'; got {kind!r}.")
    y = (logits + random.gumbel(size=logits.shape)).argmax(axis=1)
    return X, np.unique(y, return_inverse=True)[1]
