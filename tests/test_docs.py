"""The documents can be followed: links lead somewhere, commands can be typed, code compiles."""

from __future__ import annotations

import ast
import json
import re
import shlex
import sqlite3
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import click
import pytest
from docs_kit import (
    ALL,
    CODE,
    DOCS,
    PAGES,
    ROOT,
    blocks,
    explanation,
    first_codes,
    named,
    prose,
    reference,
    rows,
    section,
    text_of,
)

from gradeq.cli.commands import COMMANDS, cli
from gradeq.config import (
    GradingSettings,
    ProviderSettings,
    ServerSettings,
    StoreSettings,
    parse_config,
)
from gradeq.errors import RubricError
from gradeq.grading.rubric import parse_rubric
from gradeq.providers.simulated.faults import Fault

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_TEST = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")
_SECTIONS = {
    "[server]": ServerSettings,
    "[store]": StoreSettings,
    "[grading]": GradingSettings,
    "[provider.NAME]": ProviderSettings,
}


# Links ------------------------------------------------------------------------------------------


def slugs(page: Path) -> set[str]:
    """The anchors of a page's headings, as the usual viewers make them."""
    headings = re.findall(r"^#+ (.+)$", prose(text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


@pytest.mark.parametrize("page", ALL, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in _LINK.findall(prose(text_of(page))):
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{target} is not there"
        if anchor:
            assert anchor in slugs(there), f"{target}: no such heading"


def test_every_page_is_on_the_map() -> None:
    map_ = DOCS / "README.md"
    linked = {(DOCS / target.split("#")[0]).resolve() for target in _LINK.findall(text_of(map_))}
    left_out = [named(page) for page in PAGES if page != map_ and page.resolve() not in linked]
    assert not left_out


def test_every_symptom_is_in_the_list() -> None:
    page = DOCS / "troubleshooting.md"
    told = text_of(page)
    headings = re.findall(r"^## (.+)$", told, re.MULTILINE)
    listed = re.findall(r"^- \[(.+)\]\(#.+\)$", told.split("\n## ")[0], re.MULTILINE)
    assert listed == headings


@pytest.mark.parametrize("page", ALL, ids=named)
def test_every_table_is_whole(page: Path) -> None:
    """A blank line in a table, or a bar too many, and viewers show bars instead of cells."""
    for block in re.split(r"\n(?!\|)", prose(text_of(page))):
        table = [line for line in block.splitlines() if line.startswith("|")]
        if table:
            widths = {len(re.findall(r"(?<!\\)\|", row)) for row in table}
            assert re.fullmatch(r"[|: -]+", table[1] if len(table) > 1 else ""), table[0]
            assert len(widths) == 1, table[0]


# Code blocks ------------------------------------------------------------------------------------


def blocks_of(*languages: str) -> list[Any]:
    return [
        pytest.param(code, id=f"{named(page)}-{number}")
        for page in ALL
        for number, code in enumerate(blocks(page, *languages), start=1)
    ]


@pytest.mark.parametrize("code", blocks_of("python"))
def test_python_blocks_compile(code: str) -> None:
    compile(code, "<docs>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("code", blocks_of("toml"))
def test_toml_blocks_are_rubrics_or_configurations(code: str) -> None:
    if "criteria" in tomllib.loads(code):
        assert parse_rubric(code, "rubric.toml").criteria
    else:
        parse_config(tomllib.loads(code), {}, "gradeq.toml")


@pytest.mark.parametrize("code", blocks_of("json"))
def test_json_blocks_parse(code: str) -> None:
    json.loads(code)


def test_the_migration_of_an_existing_app_runs() -> None:
    app = sqlite3.connect(":memory:")
    handed_over = []
    for step in blocks(DOCS / "explanation" / "decisions.md", "sql"):
        if step.lstrip().startswith("SELECT"):
            handed_over = [json.loads(row[0]) for row in app.execute(step)]
        else:
            app.executescript(step)
    assert [paper["student"] for paper in handed_over] == ["Ben", "Cem"]
    assert app.execute("SELECT last_seq FROM grading_cursor").fetchone() == (117,)
    with pytest.raises(sqlite3.IntegrityError, match="a job, not a status"):
        app.execute("UPDATE submissions SET status = 'grading' WHERE id = 1")
    app.close()


# The command line -------------------------------------------------------------------------------


def commands_under(name: str) -> dict[str, click.Command]:
    """The command, and every command of it, by what is typed."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    inner = getattr(command, "commands", {})
    return {name: command, **{f"{name} {one}": sub for one, sub in inner.items()}}


def described_commands() -> list[str]:
    return re.findall(r"^#{2,3} `gradeq ([\w ]+)`$", reference("cli"), re.MULTILINE)


def description(name: str) -> str:
    """The section of one command, without those of its own commands."""
    rank = "###" if " " in name else "##"
    told = section(reference("cli"), f"{rank} `gradeq {name}`")
    return told.split("\n### `gradeq ")[0]


def test_every_command_is_described_and_no_other() -> None:
    typed = [one for name in COMMANDS for one in commands_under(name)]
    assert sorted(described_commands()) == sorted(typed)


def described_options(told: str) -> set[str]:
    """In the section's own table, and in the shared ones that it links to."""
    shared = {
        "database-options": "### Database options",
        "provider-options": "### Provider options",
    }
    texts = [
        told,
        *(section(reference("cli"), shared[one]) for one in shared if f"(#{one})" in told),
    ]
    cells = [row[0] for text in texts for row in rows(text) if row[0].startswith("`-")]
    return {code.split()[0] for cell in cells for code in CODE.findall(cell)}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_and_argument_is_described_and_no_other(name: str) -> None:
    for typed, command in commands_under(name).items():
        told = description(typed)
        options = [one for one in command.params if isinstance(one, click.Option)]
        assert described_options(told) == {one for option in options for one in option.opts}, typed
        for argument in command.params:
            if isinstance(argument, click.Argument):
                assert argument.make_metavar(click.Context(command)) in told, typed


def test_every_simulated_failure_is_described() -> None:
    told = CODE.findall(description("simulate"))
    assert set(told) >= set(Fault)


def printed_lines(page: Path) -> list[str]:
    """What a reader types: lines of console blocks, and indented ones."""
    typed = "\n".join(blocks(page, "console", "sh", "bash")).replace("\\\n", " ")
    indented = re.findall(r"^    (\S.*)$", prose(text_of(page)), re.MULTILINE)
    return [part.strip() for line in (*typed.splitlines(), *indented) for part in line.split("&&")]


def printed_commands() -> list[Any]:
    found = [
        (page, one) for page in ALL for one in printed_lines(page) if one.startswith("gradeq ")
    ]
    return [pytest.param(line, id=f"{named(page)}: {line}") for page, line in dict.fromkeys(found)]


@pytest.mark.parametrize("line", printed_commands())
def test_every_printed_command_can_be_typed(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    command: click.Command = cli
    context = click.Context(cli, info_name="gradeq")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        inner = command.get_command(context, words.pop(0))
        assert inner is not None
        command = inner
    if words[:1] not in (["--help"], ["--version"]):
        with command.make_context("gradeq", words, parent=context):
            pass


# Configuration ----------------------------------------------------------------------------------


@pytest.mark.parametrize("heading", _SECTIONS)
def test_every_key_is_described_and_no_other(heading: str) -> None:
    told = section(reference("configuration"), f"## `{heading}`")
    keys = {one.name for one in fields(_SECTIONS[heading])} - {"name"}
    assert set(first_codes(told)) == keys


@pytest.mark.parametrize("heading", _SECTIONS)
def test_defaults_are_as_told(heading: str) -> None:
    defaults = {one.name: one.default for one in fields(_SECTIONS[heading])}
    for key, told, *_ in rows(section(reference("configuration"), f"## `{heading}`"))[1:]:
        default = defaults[key.strip("`")]
        if default is MISSING or default is None:
            assert "`" not in told or " or " in told, key
        else:
            shown = str(default).lower() if isinstance(default, bool) else str(default)
            assert told.strip("`") == shown.removesuffix(".0"), key


def rubric_keys(source: str) -> set[str]:
    """What the parser itself says it knows where `source` has a key that it does not."""
    with pytest.raises(RubricError, match="known here: ") as error:
        parse_rubric(source, "rubric.toml")
    known = re.search(r"known here: (.+)", str(error.value))
    assert known is not None
    return set(known[1].split(", "))


@pytest.mark.parametrize(
    ("heading", "source"),
    [
        ("## Top level", "zzz = 1"),
        ("## Each `[[criteria]]`", "[[criteria]]\nzzz = 1"),
        (
            "## Each `[[examples]]`",
            '[[criteria]]\nid = "a"\ndescription = "b"\npoints = 1\n'
            '[[examples]]\ntext = "t"\nlevels = {a = "met"}\nzzz = 1',
        ),
        ("## Each level", '[[criteria]]\nid = "a"\ndescription = "b"\nlevels = [{zzz = 1}]'),
    ],
)
def test_every_rubric_key_is_described_and_no_other(heading: str, source: str) -> None:
    assert set(first_codes(section(reference("rubric"), heading))) == rubric_keys(source)


# Promises ---------------------------------------------------------------------------------------


def functions_in(nodes: Iterable[ast.stmt], prefix: str = "") -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + node.name
        elif isinstance(node, ast.ClassDef):
            yield from functions_in(node.body, f"{prefix}{node.name}::")


def named_tests() -> list[Any]:
    found = [(page, *one) for page in PAGES for one in dict.fromkeys(_TEST.findall(text_of(page)))]
    return [pytest.param(file, name, id=f"{named(page)}: {name}") for page, file, name in found]


@pytest.mark.parametrize(("file", "name"), named_tests())
def test_every_test_that_is_named_exists(file: str, name: str) -> None:
    assert (ROOT / file).is_file()
    assert name in set(functions_in(ast.parse((ROOT / file).read_text("utf-8")).body))


def test_every_promise_names_its_tests() -> None:
    page = explanation("promises")
    promises = re.findall(r"^## \d\. .+$", page, re.MULTILINE)
    assert [int(one[3]) for one in promises] == [1, 2, 3, 4, 5, 6, 7]
    for promise in promises:
        assert _TEST.search(section(page, promise)), promise
