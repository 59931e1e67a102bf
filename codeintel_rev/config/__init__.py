"""What may be chosen from outside, and what is fixed with the model."""
