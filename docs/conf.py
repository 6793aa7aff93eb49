"""Configuration of the documentation: ``sphinx-build -W docs docs/_build``."""

import re

import skgradlinear

project = "skgradlinear"
author = "skgradlinear developers"
copyright = "2026, skgradlinear developers"
version = release = skgradlinear.__version__

extensions = [
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
# `name` is a link where it can be imported and in italics where it is a parameter.
default_role = "autolink"

autosummary_generate = True
# The class template lists the members, and docstrings say the types in words.
numpydoc_show_class_members = False
autodoc_typehints = "none"

html_theme = "furo"
html_title = f"skgradlinear {release}"
html_copy_source = False
html_show_sphinx = False


def skip_scikit_learn(app, what, name, obj, skip, options):
    """Leave out what scikit-learn's base classes define and document."""
    generated = re.fullmatch(r"set_\w+_request", name) is not None
    return skip or generated or str(getattr(obj, "__module__", "")).startswith("sklearn.")


def setup(app):
    """Connect the hook above."""
    app.connect("autodoc-skip-member", skip_scikit_learn)
