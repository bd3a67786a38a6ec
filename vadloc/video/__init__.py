"""Frames of videos and of folders of pictures: read, timed, drawn on and written."""
