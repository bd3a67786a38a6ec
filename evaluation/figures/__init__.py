"""Plot curves, and draw ground truth and scores on frames."""
