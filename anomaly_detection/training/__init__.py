"""The training of detectors whose networks learn normal video; ``tasks`` says what one consists of."""
