"""What `gradeq evaluate` does around the figures: grading, and telling what came of it."""
