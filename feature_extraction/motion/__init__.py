"""The network that describes how a volume moves, and its training."""
