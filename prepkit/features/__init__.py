"""Column stages: features to features, the same in training, evaluation and serving."""
