"""The site: `make docs` builds it, and warnings are errors."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import prepkit

project = "prepkit"
author = copyright = "the prepkit authors"
release = version = prepkit.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
default_role = "code"  # of `this` in docstrings
html_theme = "furo"
html_title = "prepkit"
html_copy_source = False
myst_heading_anchors = 3  # findings.html#missing-disguised

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say more
napoleon_custom_sections = ["Source"]
napoleon_use_rtype = False


def with_plain_stars(app, what, name, obj, options, lines):
    """A star in a docstring is a star, not the start of emphasis."""
    for i, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            parts = line.split("`")
            parts[::2] = [part.replace("*", r"\*") for part in parts[::2]]
            lines[i] = "`".join(parts)


def setup(app):
    app.connect("autodoc-process-docstring", with_plain_stars, priority=1)  # before napoleon
