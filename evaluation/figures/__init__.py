"""Plots of curves and drawings of ground truth and scores."""
