"""Frame, region, track, pixel and dual-pixel criteria, from scores and ground truth."""
