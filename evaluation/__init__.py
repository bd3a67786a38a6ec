"""Stage 4: ground truth, criteria, curves and tables."""
