"""gradeq: a durable, throttled queue that grades student work with an LLM."""
