"""How the site is built: `make docs`. Pages under `_made/` are written first, from the packages."""

import os
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "tools"))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pages  # noqa: E402

pages.write(HERE / "_made")

project = "ShiftSmooth"
author = "The ShiftSmooth authors"
copyright = author
release = version = metadata.version("shiftsmooth")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "jupyter_execute", "images", "tables"]
exclude_patterns += ["_made/models.md", "_made/commands.md"]  # which are included
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "force"  # the tutorials, which are kept without outputs
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_merge_streams = True
nb_output_stderr = "remove"

default_role = "code"
autoclass_content = "both"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_numpy_docstring = False
napoleon_use_rtype = False

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_title = f"ShiftSmooth {release}"
html_math_renderer = "mathml"
html_show_sourcelink = False
html_copy_source = False


def _math(self: Any, node: nodes.Node) -> None:
    # A browser draws MathML by itself: a page needs no network.
    block = isinstance(node, nodes.math_block)
    self.body.append(tex2mathml(node.astext(), as_block=block))
    raise nodes.SkipNode


def _escape_bars(
    app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    # |attribution| is an absolute value, not one of reST's substitutions.
    lines[:] = [re.sub(r"\|(\w+)\|", r"\\|\1\\|", line) for line in lines]


def setup(app: Any) -> None:
    """Adds what draws equations, and what reads docstrings as they are meant."""
    app.add_html_math_renderer("mathml", (_math, None), (_math, None))
    app.connect("autodoc-process-docstring", _escape_bars)
