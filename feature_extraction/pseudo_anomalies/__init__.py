"""Pseudo-anomalies: clips of normal video, changed so that a detector should notice it."""
