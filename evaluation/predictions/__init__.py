"""Anybody's score files and boxes, as score maps."""
