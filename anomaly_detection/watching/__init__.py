"""Watching a camera: what runs beside the loop that scores frames as they come."""
