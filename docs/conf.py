"""Configuration of the documentation: ``sphinx-build -W docs docs/_build``."""

import re
import sys
from pathlib import Path

import skgradlinear

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

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
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "examples"]
templates_path = ["_templates"]
# `name` is a link where it can be imported and in italics where it is a parameter.
default_role = "autolink"

# Each reference must lead somewhere, except those to other packages, which are not fetched, and to what is private.
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(sklearn|scipy|numpy|matplotlib)\..*"), (r"py:obj", r"skgradlinear\._.*")]

autosummary_generate = True
# The class template lists the members, and docstrings say the types in words.
numpydoc_show_class_members = False
autodoc_typehints = "none"

# Every example runs at each build, with warnings as errors; one that fails, by an assertion too, fails the build.
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "reset_modules": ("matplotlib", "strict_gallery.warnings_are_errors"),
    "reset_modules_order": "both",
    "capture_repr": (),
    "doc_module": ("skgradlinear",),
    "backreferences_dir": "gallery/backreferences",
    "write_computation_times": False,
    "download_all_examples": False,
    "show_signature": False,
}

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
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
