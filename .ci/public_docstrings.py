"""Check that every public name documents exactly the parameters of its signature and what it returns."""

import enum
import importlib
import inspect
import sys

from numpydoc.validate import validate

MODULES = ("skgradlinear", "skgradlinear.losses", "skgradlinear.solvers")
REQUIRED = {"GL08", "SS01", "PR01", "PR02", "PR03", "PR04", "PR07", "RT01", "RT03"}


def main() -> int:
    """Print every violation; 1 if there is one, else 0."""
    found = []
    names = [f"{module}.{name}" for module in MODULES for name in importlib.import_module(module).__all__]
    for name in names:
        module, _, attribute = name.rpartition(".")
        public = getattr(importlib.import_module(module), attribute)
        if not (inspect.isclass(public) or inspect.isfunction(public)):
            continue
        # The signature of an enumeration is that of its metaclass.
        required = {"GL08", "SS01"} if inspect.isclass(public) and issubclass(public, enum.Enum) else REQUIRED
        found += [f"{name}: {code} {text}" for code, text in validate(name)["errors"] if code in required]
    print("\n".join(found) if found else f"{len(names)} public names are documented")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
