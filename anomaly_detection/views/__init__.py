"""Frames with scores, detections and sentences drawn on them."""
