"""The training of networks that learn normal video; ``tasks`` says what a training consists of."""
