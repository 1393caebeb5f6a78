"""`python -m gradeq`: the same as the `gradeq` command."""

from gradeq.cli import main

main()
