"""Entry point of ``python -m skgradlinear``."""

import sys

from skgradlinear._compare import main

if __name__ == "__main__":
    sys.exit(main())
