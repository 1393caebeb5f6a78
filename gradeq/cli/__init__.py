"""The command line. Each command is a module of its own, loaded when it is used."""

from __future__ import annotations

import sys

from gradeq.cli.commands import cli


def main() -> None:
    """Run the command that `sys.argv` names, and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        # A console that cannot show a student's name shows a question mark; it never crashes.
        getattr(stream, "reconfigure", lambda **_: None)(errors="replace")
    cli(prog_name="gradeq")
