"""What does the work of a job: a model behind an API, or the application's own coroutine."""
