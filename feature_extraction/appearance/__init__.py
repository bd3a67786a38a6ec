"""The network that describes what a volume shows, and its training."""
