"""Stage 1: from frames to the features of every video volume."""
