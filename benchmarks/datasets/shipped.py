from benchopt import BaseDataset
from sklearn import datasets


class Dataset(BaseDataset):
    """Data that come with scikit-learn."""

    name = "shipped"
    parameters = {"data": ["digits", "breast_cancer", "iris", "wine"]}
    requirements = ["pip::scikit-learn"]

    def get_data(self):
        X, y = getattr(datasets, f"load_{self.data}")(return_X_y=True)
        return {"X": X, "y": y}
