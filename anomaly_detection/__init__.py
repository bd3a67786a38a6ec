"""Stage 3: how anomalous each part of new video is, why, and how it looks."""
