"""The alarm threshold, from scores of training sequences that were left out of the learning."""
