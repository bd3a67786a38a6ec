"""The alarm threshold, from scores of training sequences that nothing was learnt from."""
