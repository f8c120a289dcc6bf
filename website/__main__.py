"""`python -m website [FOLDER]`: builds the site, and reports what is wrong with it."""

import sys
from pathlib import Path

from website.build import build
from website.checks import faults
from website.navigation import ROOT

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "site"
if code := build(folder):
    sys.exit(code)
if found := faults(folder / "html"):
    sys.exit("\n".join(found))
print(f"Built {folder / 'html' / 'index.html'}")
