"""The parts of the fuzz program ``benchmarks/fuzz.py``."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "helpers"))  # whose small valid files are the seeds
