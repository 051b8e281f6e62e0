"""How often rows of each class come, what they weigh, and what that does to probabilities."""
