"""A grader for short answers that compares words; it needs no model, no key and no network."""
