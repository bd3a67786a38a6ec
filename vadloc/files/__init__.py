"""Read and write files: writing is atomic, reading checks them and runs no code from them."""
