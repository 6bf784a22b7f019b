"""Sphinx: the manual as a site, written by ``make docs``."""
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from srpose_mm import __version__  # noqa: E402

project = 'srpose_mm'
author = 'srpose_mm contributors'
release = version = __version__

extensions = [
    'myst_nb',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'sphinx.ext.viewcode',
    'sphinx_copybutton',
]
templates_path = []
# Headings down to the third level are targets of links, as on GitHub.
myst_heading_anchors = 3
# A test executes the notebook; the site shows the outputs that it has.
nb_execution_mode = 'off'

# Types and defaults are in the signature only.
autodoc_typehints = 'signature'
autodoc_member_order = 'bysource'
autodoc_default_options = {'members': True, 'show-inheritance': True}
# `Attributes:` describes the fields of a tuple or data class once.
napoleon_use_ivar = True
napoleon_use_rtype = False
python_maximum_signature_line_length = 79

html_theme = 'furo'
html_title = f'srpose_mm {release}'
