"""Read scores and boxes of any detector from files."""
