"""Checks of a dataset: what each of them finds is one line of text."""
