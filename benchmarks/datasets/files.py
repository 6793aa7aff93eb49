from pathlib import Path

import numpy as np
import scipy.sparse as sp
from benchopt import BaseDataset


class Dataset(BaseDataset):
    """An npz file with arrays X (or data, indices, indptr, shape of a CSR matrix) and y: ``-d files[path=my.npz]``."""

    name = "files"
    parameters = {"path": [None]}

    def skip(self):
        return self.path is None, "no path given"

    def get_data(self):
        X, y = read(self.path)
        return {"X": X, "y": y}


def read(path):
    """X and integer labels."""
    with np.load(Path(path), allow_pickle=False) as arrays:
        if "X" in arrays:
            X = arrays["X"]
        else:
            X = sp.csr_matrix((arrays["data"], arrays["indices"], arrays["indptr"]), tuple(arrays["shape"]))
        return X, np.unique(arrays["y"], return_inverse=True)[1]
