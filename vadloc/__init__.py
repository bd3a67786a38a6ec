"""What more than one stage needs: config, artifacts, frames, regions, distance, command line."""
