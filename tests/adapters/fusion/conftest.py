import sys
from pathlib import Path

# cddfuse_reference.py: pytest's importlib mode puts no folder on the path
sys.path.insert(0, str(Path(__file__).parent))
