"""Stage 3: how far new video is from what is normal at each place."""
