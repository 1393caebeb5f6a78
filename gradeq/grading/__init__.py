"""From a paper and a rubric to a question for a model, and from its answer to a grade."""
