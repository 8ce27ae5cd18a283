"""Sphinx's settings: `python -m sphinx -W docs docs/_build/html`, from the root of a clone, without network."""

import sys
import warnings
from pathlib import Path

import matplotlib

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "_ext"))
matplotlib.use("Agg")
warnings.filterwarnings("ignore", message="Matplotlib is currently using agg")

import drawings  # noqa: E402
import reference  # noqa: E402

import skaud  # noqa: E402

project, author, copyright = "skaud", "The skaud developers", "The skaud developers, BSD-3-Clause"
version = release = skaud.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
    "compared",
    "conformance_page",
    "equations",
    "further_pages",
    "mathml",
    "measured",
    "reference",
]
exclude_patterns = ["_build", "_ext", "README.md", "reference/generated/*.md", "gallery/**/*.ipynb", "gallery/**/*.py"]
templates_path = ["_templates"]
default_role = "literal"  # single backticks in docstrings name parameters
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 4
suppress_warnings = ["misc.highlighting_failure"]  # snippets that leave something out with "..."

# Reference: pages of every public name, from the package itself
reference.write(DOCS / "reference")
autosummary_generate = True
numpydoc_show_class_members = False  # methods stand below the class, see _templates
autodoc_typehints = "none"  # numpydoc has them
autodoc_preserve_defaults = True
toc_object_entries_show_parents = "hide"

# Pictures drawn by code: block diagrams, charts
drawings.write(DOCS / "_drawn")

sphinx_gallery_conf = {
    "examples_dirs": ["../examples"],
    "gallery_dirs": ["gallery"],
    "filename_pattern": r"/plot_",
    "within_subsection_order": "gallery.PicturesFirst",
    "default_thumb_file": str(DOCS / "_drawn" / "program.png"),
    "abort_on_example_error": True,
    "parallel": 2,
    "download_all_examples": False,
    "show_memory": False,
    "write_computation_times": False,
    "remove_config_comments": True,
    "capture_repr": (),  # what scripts print, and no legends
    "reset_argv": "gallery.arguments",
}

html_theme = "pydata_sphinx_theme"
html_title = "skaud"
html_static_path = ["_static"]
html_css_files = ["skaud.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False
html_sidebars = {"index": [], "changelog": [], "conformance": [], "performance": [], "adding_a_model": []}
html_theme_options = {
    "header_links_before_dropdown": 6,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "navbar_end": ["theme-switcher"],
}
