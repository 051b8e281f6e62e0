"""Row stages and training stages: which rows come in, and how the training rows count."""
