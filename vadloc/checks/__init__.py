"""Checks of a dataset; each finding is one line of text."""
