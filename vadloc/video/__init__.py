"""Read frames of videos and picture folders, find their times, draw on them, write videos."""
