"""A grader for short answers that puts a model's probabilities and the words together."""
