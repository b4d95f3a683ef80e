import importlib.util
import sys
from pathlib import Path

# importmode=importlib puts no folder on the path: `from pages import ...` finds what these tests share here
_spec = importlib.util.spec_from_file_location("pages", Path(__file__).with_name("pages.py"))
if _spec and _spec.loader and "pages" not in sys.modules:
    sys.modules["pages"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["pages"])
