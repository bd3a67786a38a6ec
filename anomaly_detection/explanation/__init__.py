"""What was detected, where and when, and why it is unusual there."""
