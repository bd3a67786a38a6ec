"""Stage 2: the few volumes of every region that stand for all normal ones."""
