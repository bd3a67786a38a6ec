"""Why an anomaly differs from what is normal at its place."""
