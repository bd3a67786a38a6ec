"""What a new camera needs: a dataset folder, a config and a region size."""
