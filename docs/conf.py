"""Sphinx configuration of the site; tools/docs.py prepares the pages and calls Sphinx."""

import re
from configparser import ConfigParser
from pathlib import Path

from docutils.nodes import SkipNode
from math_core import LatexToMathML

ROOT = Path(__file__).resolve().parent.parent
settings = ConfigParser(delimiters=["="])
settings.read(ROOT / "settings.ini", encoding="utf-8")

project, version = settings["DEFAULT"]["title"], settings["DEFAULT"]["version"]
author, copyright = settings["DEFAULT"]["author"], settings["DEFAULT"]["copyright"]
extensions = ["myst_nb", "sphinx.ext.autodoc"]
root_doc, exclude_patterns = "index", []

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # outputs are those in the notebooks
nb_render_markdown_format = "myst"
nb_ipywidgets_js = {}
suppress_warnings = ["mystnb.mime_priority"]

add_module_names = False
default_role = "code"  # `name` in a docstring
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_default_options = {"exclude-members": "set_fit_request, set_partial_fit_request, set_score_request"}
nitpick_ignore_regex = [("py:.*", ".*")]  # types of other packages; links between pages must exist

html_theme = "furo"
html_title = f"{project} {version}"
html_static_path, html_css_files = [str(ROOT / "docs" / "site.css")], ["site.css"]
html_copy_source = html_show_sphinx = False
html_domain_indices = False
html_math_renderer = "mathml"


def formula(self, node) -> None:
    "A formula as MathML, which browsers lay out without a script; a wide one scrolls by itself."
    inline = node.tagname == "math"
    text = LatexToMathML().convert_with_local_state(node.astext(), displaystyle=not inline)
    self.body.append(text if inline else f'<div class="formula">{text}</div>')
    raise SkipNode


def plain(app, what, name, thing, options, lines) -> None:
    "Docstrings are plain text with `code`: bars and stars mean themselves."
    text = re.split(r"(`[^`]*`)", "\n".join(lines))
    text[::2] = [re.sub(r"([|*_])", r"\\\1", part) for part in text[::2]]
    lines[:] = "".join(text).split("\n")


def setup(app) -> dict:
    app.add_html_math_renderer("mathml", (formula, None), (formula, None))
    app.connect("autodoc-process-docstring", plain)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
