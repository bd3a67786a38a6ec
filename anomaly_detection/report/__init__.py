"""The report: one page with all detections of a dataset."""
