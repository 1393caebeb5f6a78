"""The commands by name: listing them loads none of them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, NoReturn

import click

from gradeq import __version__
from gradeq.errors import GradeqError, InputError

USAGE = 2
INTERRUPTED = 130

COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "demo": ("demo", "Grade a sample class with a simulated model, and watch it."),
        "run": ("run", "Import papers, grade them, write the results: all in one go."),
        "serve": ("serve", "Run the daemon: the queue, its page and its HTTP API."),
        "import": ("importing", "Put papers into the database."),
        "grade": ("grade", "Queue papers for grading, or grade them now with --wait."),
        "status": ("status", "Show assignments, batches and what holds them up."),
        "resume": ("resume", "Go on where a bad key or a spent quota had stopped it."),
        "release": ("release", "Release grades to students, in your name."),
        "evaluate": ("evaluate", "Measure how far a grader agrees with people."),
        "export": ("export", "Write stored results to a .csv or .jsonl file."),
        "batch": ("batch", "Pause, resume, cancel or retry a batch."),
        "token": ("token", "Let people and programs in, with roles and courses."),
        "backup": ("backup", "Copy the database, also while a daemon uses it."),
        "check": ("check", "Check a database, a rubric or an input file."),
        "rubric": ("rubric", "Check a rubric, with advice on what harms grading."),
        "doctor": ("doctor", "Look for what may go wrong on this machine."),
        "simulate": ("simulate", "Serve a simulated model provider, for tests."),
    }
)
"""Name to module and one-line help."""


class Refused(click.ClickException):
    """A GradeqError, told to whoever typed the command."""

    exit_code = USAGE

    def __init__(self, error: GradeqError) -> None:
        problems = error.problems if isinstance(error, InputError) else ()
        super().__init__("\n  ".join([str(error), *problems]))


class Commands(click.Group):
    """Loads a command's module when it is used; turns every GradeqError into a message."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click calls it
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as click calls it
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"gradeq.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands alone, so that the list fits a screen; the last line names the options."""
        self.format_commands(ctx, formatter)

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - as click calls it
        formatter: click.HelpFormatter,
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            _no_such_command(ctx, name)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except GradeqError as error:
            raise Refused(error) from error
        except KeyboardInterrupt:
            raise click.exceptions.Exit(INTERRUPTED) from None


def _no_such_command(ctx: click.Context, name: str) -> NoReturn:
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    ctx.fail(f"There is no command {name!r}.{hint}")


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Try it: gradeq demo. More: gradeq COMMAND --help, gradeq --version.",
)
@click.version_option(__version__, prog_name="gradeq")
def cli() -> None:
    """Grade student papers with an LLM; release them yourself."""
