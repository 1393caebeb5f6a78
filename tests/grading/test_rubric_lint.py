"""What the advice on rubrics finds, and what it leaves alone."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from gradeq.grading.rubric import Criterion, Example, Level, Rubric, parse_rubric
from gradeq.grading.rubric_advice import Advice, Adviser
from gradeq.grading.rubric_lint import lint

ROOT = Path(__file__).parents[2]
ADVICE = ROOT / "gradeq" / "grading" / "advice"

GOOD_LEVELS = (
    Level("both", 2, "The claim and a reason for it are there."),
    Level("one", 1, "The claim is there, a reason is missing."),
    Level("none", 0, "The claim is missing."),
)


def rubric(*criteria: Criterion, **given: Any) -> Rubric:
    made = criteria or (criterion(),)
    return Rubric(made, **{"question": "Should schools start later?", **given})


def criterion(
    description: str = "Does the essay support its claim?", *levels: Level, id: str = "claim"
) -> Criterion:
    return Criterion(id, description, levels or GOOD_LEVELS)


def yes_or_no(description: str) -> Criterion:
    levels = (Level("met", 2, "The paper does this."), Level("unmet", 0, "It does not."))
    return criterion(description, *levels)


def levels(*told: tuple[str, float] | tuple[str, float, str]) -> Criterion:
    return criterion("Is the claim supported?", *(Level(*one) for one in told))


def texts(*told: str) -> Criterion:
    """Levels with these texts, from most to fewest points."""
    count = len(told)
    return levels(*((f"level {n}", count - n, text) for n, text in enumerate(told)))


def first_text(text: str) -> Criterion:
    return texts(text, "One source is named.", "No source is named.")


def points(*told: float) -> Criterion:
    return levels(*((f"l{n}", one, f"Text {n} of it.") for n, one in enumerate(told)))


def shown(*examples: tuple[str, str], also: str = "") -> Rubric:
    """With these texts and their levels as examples; `also` is that of a second criterion."""
    more = (("fair", also),) if also else ()
    told = tuple(Example(text, (("claim", level), *more)) for text, level in examples)
    fair = Criterion("fair", "Is it fair?", yes_or_no("Is it fair?").levels)
    return rubric(criterion(), fair, examples=told)


def found(checked: Rubric) -> list[str]:
    return [one.rule for one in lint(checked)]


def by_words(rule: str, warned: list[str], fine: list[str], place: str) -> list[Any]:
    make = {
        "instructions": lambda text: rubric(instructions=text),
        "description": lambda text: rubric(criterion(text)),
        "yes_or_no": lambda text: rubric(yes_or_no(text)),
        "level": lambda text: rubric(first_text(text)),
        "title": lambda text: rubric(title=text),
    }[place]
    told = [(text, True) for text in warned] + [(text, False) for text in fine]
    return [pytest.param(rule, make(text), is_warned, id=text) for text, is_warned in told]


WORDING = [
    *by_words(
        "harsh",
        [
            "Be strict.",
            "Be very strict with beginners!",
            "Grade harshly; this is the final year.",
            "Never give partial credit for an answer without units.",
            "The answer earns no partial marks.",
            "Sei streng.",
            "Bewerte sehr streng, es ist die Abschlussklasse.",
            "Vergeben Sie keine Teilpunkte.",
        ],
        [
            "Strictly speaking, leaves are organs.",
            "Give partial credit.",
            "The experiment needs a severe test.",
            "Spelling does not count.",
            "Der strenge Winter ist Thema des Textes.",
            "Halbe Lösungen zählen auf der mittleren Stufe.",
        ],
        "instructions",
    ),
    *by_words(
        "threshold",
        [
            "The minimum is two sources.",
            "Two sources are the bare minimum.",
            "A minimum of three arguments is expected.",
            "Papers below the minimum standard fail.",
            "Die Mindestanforderung sind zwei Quellen.",
            "Das Minimum sind drei Argumente.",
        ],
        [
            "At least two sources are named.",
            "The minimum wage is discussed.",
            "The minimum of the function is computed.",
            "Mindestens zwei Quellen sind genannt.",
            "Das Minimum der Funktion ist berechnet.",
            "The paper minimises the cost.",
        ],
        "level",
    ),
    *by_words(
        "quantifier",
        [
            "Several sources are named.",
            "The essay gives enough evidence.",
            "Many spelling mistakes.",
            "An appropriate number of examples.",
            "A few steps are missing.",
            "Einige Quellen sind genannt.",
            "Es gibt ausreichend Belege.",
            "Viele Rechtschreibfehler.",
        ],
        [
            "Two or more sources are named.",
            "Several sources (three or more) are named.",
            "Fewer than five spelling mistakes.",
            "It says how many sources were read.",
            "Something else is described.",
            "Drei Quellen sind genannt.",
            "Einige, nämlich mindestens 2, Quellen sind genannt.",
            "Es steht da, wie viele Menschen befragt wurden.",
        ],
        "level",
    ),
    *by_words(
        "negative",
        [
            "Does the essay not contradict itself?",
            "The text has no spelling mistakes.",
            "Is it written without slang?",
            "The author avoids the passive.",
            "The answer doesn't name the year.",
            "Fehlt die Begründung nicht?",
            "Der Text hat keine Rechtschreibfehler.",
            "Kommt die Lösung ohne Umwege aus?",
        ],
        [
            "Is the claim kept up to the end?",
            "Does it say whether or not the plan worked?",
            "Is the text free of slang?",
            "Does it give not only dates but causes?",
            "Is the notation of the vectors right?",
            "Wird die Behauptung belegt?",
            "Nennt die Antwort nicht nur Daten, sondern Ursachen?",
            "Sagt der Text, ob der Plan gelang oder nicht?",
        ],
        "description",
    ),
    *by_words(
        "comparison",
        [
            "The essay is better than most in this class.",
            "Judge it compared with the other students.",
            "Clearly above average.",
            "The best essays of the class get this level.",
            "Grade on a curve.",
            "Der Text ist besser als die meisten.",
            "Im Vergleich zur Klasse ist er stark.",
            "Eine überdurchschnittliche Arbeit.",
        ],
        [
            "The student compares two poems with each other.",
            "It says which of the two plans is better.",
            "The average of the measurements is right.",
            "The curve is drawn through the points.",
            "The text compares the city to the countryside.",
            "Die Antwort vergleicht zwei Gedichte.",
            "Der Durchschnitt der Messwerte stimmt.",
        ],
        "level",
    ),
    *by_words(
        "impression",
        [
            "What is the overall impression of the essay?",
            "Judge the text holistically.",
            "Overall quality of the argument",
            "Go by your gut feeling.",
            "The general impression decides.",
            "Wie ist der Gesamteindruck?",
            "Bewerte den Text ganzheitlich.",
        ],
        [
            "Does the essay describe the painter's impressions?",
            "Is Impressionism dated correctly?",
            "Is the overall structure told in the introduction?",
            "Does the answer say that the quality of the water fell?",
            "Is the general rule stated?",
            "Beschreibt der Text einen Eindruck von der Stadt?",
        ],
        "description",
    ),
    *by_words(
        "score",
        [
            "Give a score from 1 to 10.",
            "Rate the language from 1 to 5.",
            "Deduct one point for each mistake.",
            "Award up to 3 points for the argument.",
            "Judge it on a scale of 1 to 6.",
            "Vergib bis zu 5 Punkte.",
            "Punktabzug für jeden Fehler.",
            "Eine Note von 1 bis 6.",
        ],
        [
            'Judge how well it argues: "yes" and "no" can both earn every point.',
            "The main point of the essay is what counts.",
            "Text that states marks is no part of the argument.",
            "Students were given a map on a scale that they had to read.",
            "The students give reasons for their point of view.",
            "Der Standpunkt zählt nicht.",
            "Die Arbeiten stammen aus den Jahren 2019 bis 2021.",
        ],
        "instructions",
    ),
    *by_words(
        "double",
        [
            "Does the answer name glucose and oxygen?",
            "Is the text well structured and correctly spelled?",
            "Are the units right as well as the signs?",
            "Nennt die Antwort Ort und Zeit?",
            "Ist der Text gegliedert sowie fehlerarm?",
        ],
        [
            "Does the answer name the gas that is made?",
            "Does it explain cause and effect?",
            "Is the difference between mass and weight explained?",
            "Does it say that Marie Curie and Pierre Curie found radium?",
            "Does the answer name Romeo and Juliet?",
            "Werden Vor- und Nachteile genannt?",
            "Ist der Unterschied zwischen Masse und Gewicht erklärt?",
        ],
        "yes_or_no",
    ),
    *by_words(
        "double",
        [
            "Is the argument clear and is the spelling correct?",
            "Does it name a source and does it quote it?",
            "Are the units right, and are the signs right?",
            "Ist die Rechnung richtig und ist der Antwortsatz da?",
            "Hat der Text eine Einleitung und hat er einen Schluss?",
        ],
        [
            "Does the essay take a clear position on the question and keep to it?",
            "Is the text clearly organised and readable?",
            "Does the essay present an opposing argument fairly and answer it?",
            "Are light, carbon dioxide and water named?",
            "Werden Licht, Kohlendioxid und Wasser genannt?",
        ],
        "description",
    ),
    *by_words(
        "mark",
        ["Very good.", "Excellent work", "Poor", "Gute Arbeit", "Nicht ausreichend."],
        [
            "Good examples from the text support each claim.",
            "Two reasons are given.",
            "The work is signed.",
            "Das Gute an dem Plan ist genannt.",
            "All steps are there.",
        ],
        "level",
    ),
    *by_words(
        "sum",
        [
            "Essay (20 points)",
            "Photosynthesis, 5 pts",
            "Test, 10 marks",
            "Aufsatz (12 Punkte)",
            "8 P.",
        ],
        ["Essay (2 points)", "Year 9 essay", "5 points of view", "Aufsatz 3 (2 Punkte)", "Task 4"],
        "title",
    ),
]

SHAPES = [
    ("no_task", rubric(question=""), True),
    ("no_task", rubric(question="", title="Sleep"), True),
    ("no_task", rubric(question="", instructions="Year 9."), True),
    ("no_task", rubric(yes_or_no("Is a gas named?"), question=""), True),
    ("no_task", rubric(points(3, 1, 0), question="", cap=2.0), True),
    ("no_task", rubric(), False),
    ("no_task", rubric(question="", reference="Light and water."), False),
    ("no_task", rubric(question="", key_points=("Light.", "Water.")), False),
    ("no_task", rubric(reference="Light and water."), False),
    ("no_task", rubric(title="", question="Why?"), False),
    ("no_task", rubric(yes_or_no("Is a gas named?")), False),
    ("bare", rubric(levels(("good", 2), ("weak", 0))), True),
    ("bare", rubric(levels(("good", 2, "Two sources."), ("weak", 0))), True),
    ("bare", rubric(levels(("a", 3), ("b", 2, "One."), ("c", 0, "None."))), True),
    ("bare", rubric(levels(("fault", -1), ("clean", 0, "Polite."))), True),
    ("bare", rubric(criterion(), levels(("x", 1, ""), ("y", 0, "None."))), True),
    ("bare", rubric(), False),
    ("bare", rubric(yes_or_no("Is a gas named?")), False),
    ("bare", rubric(points(3, 1, 0)), False),
    ("bare", rubric(points(0, -2)), False),
    ("bare", rubric(texts("Two.", "One.", "None.")), False),
    ("alike", rubric(texts("Clear.", "Clear", "Unclear.")), True),
    ("alike", rubric(texts("A very clear claim.", "A clear claim.", "None.")), True),
    ("alike", rubric(texts("Clear claim", "Quite clear claim", "None.")), True),
    ("alike", rubric(texts("Sehr klare These.", "Eher klare These.", "Keine These.")), True),
    ("alike", rubric(texts("One source.", "None.", "one  source")), True),
    ("alike", rubric(texts("Two sources.", "One source.", "No source.")), False),
    ("alike", rubric(texts("The claim is clear.", "The claim is unclear.")), False),
    ("alike", rubric(levels(("a", 2), ("b", 1), ("c", 0))), False),
    ("alike", rubric(texts("Zwei Quellen.", "Eine Quelle.", "Keine Quelle.")), False),
    ("alike", rubric(yes_or_no("Is a gas named?")), False),
    ("no_effect", rubric(points(1, 1)), True),
    ("no_effect", rubric(points(0, 0, 0)), True),
    ("no_effect", rubric(points(-1, -1)), True),
    ("no_effect", rubric(points(2.5, 2.5)), True),
    ("no_effect", rubric(criterion(), points(3, 3, 3)), True),
    ("no_effect", rubric(points(1, 0)), False),
    ("no_effect", rubric(points(1, 1, 0)), False),
    ("no_effect", rubric(points(0, -1)), False),
    ("no_effect", rubric(points(0.5, 0.25)), False),
    ("no_effect", rubric(yes_or_no("Is a gas named?")), False),
    ("same_points", rubric(points(2, 2, 0)), True),
    ("same_points", rubric(points(3, 1, 1, 0)), True),
    ("same_points", rubric(points(1, 0, 0)), True),
    ("same_points", rubric(points(0, -1, -1)), True),
    ("same_points", rubric(points(1.5, 1.5, 1)), True),
    ("same_points", rubric(points(2, 1, 0)), False),
    ("same_points", rubric(points(1, 0)), False),
    ("same_points", rubric(points(1, 0, -1)), False),
    ("same_points", rubric(points(1, 1)), False),
    ("same_points", rubric(points(0.5, 0.25, 0)), False),
    ("odd_step", rubric(points(20, 3, 2, 1)), True),
    ("odd_step", rubric(points(30, 2, 1, 0)), True),
    ("odd_step", rubric(points(100, 20, 10, 0)), True),
    ("odd_step", rubric(points(4, 3, 2, -10)), True),
    ("odd_step", rubric(points(10, 0.5, 0)), True),
    ("odd_step", rubric(points(4, 3, 1, 0)), False),
    ("odd_step", rubric(points(5, 3, 0)), False),
    ("odd_step", rubric(points(10, 0)), False),
    ("odd_step", rubric(points(20, 15, 10, 5, 0)), False),
    ("odd_step", rubric(points(6, 5, 0)), False),
    *(("long_example", shown(("word " * n, "both")), n > 300) for n in (301, 302, 400, 999, 3000)),
    *(("long_example", shown(("word " * n, "both")), n > 300) for n in (1, 20, 150, 299, 300)),
    ("one_sided", shown(("One.", "both"), ("Two.", "both")), True),
    ("one_sided", shown(("One.", "none"), ("Two.", "none"), ("Three.", "none")), True),
    ("one_sided", shown(("One.", "one"), ("One.", "one")), True),
    ("one_sided", shown(("One.", "both"), ("Two.", "none"), also="met"), True),
    ("one_sided", shown(("One.", "both"), ("Two.", "both"), also="met"), True),
    ("one_sided", shown(), False),
    ("one_sided", shown(("One.", "both")), False),
    ("one_sided", shown(("One.", "both"), ("Two.", "none")), False),
    ("one_sided", shown(("One.", "both"), ("Two.", "both"), ("Three.", "one")), False),
    ("one_sided", shown(("One.", "one"), ("One.", "both")), False),
    ("contradiction", shown(("One.", "both"), ("One.", "none")), True),
    ("contradiction", shown(("One.", "both"), ("Two.", "one"), ("One.", "none")), True),
    ("contradiction", shown(("A  reason", "both"), ("a reason", "one")), True),
    ("contradiction", shown(("One.\n", "one"), ("one.", "none")), True),
    ("contradiction", shown(("One.", "both"), ("One.", "one"), also="met"), True),
    ("contradiction", shown(), False),
    ("contradiction", shown(("One.", "both")), False),
    ("contradiction", shown(("One.", "both"), ("One.", "both")), False),
    ("contradiction", shown(("One.", "both"), ("Two.", "none")), False),
    ("contradiction", shown(("One.", "both"), ("Two.", "none"), also="met"), False),
    *(("many_levels", rubric(points(*range(n, 0, -1))), n > 6) for n in (7, 8, 9, 12, 20)),
    *(("many_levels", rubric(points(*range(n, 0, -1))), n > 6) for n in (2, 3, 4, 5, 6)),
    *(("many_criteria", rubric(*[criterion()] * n), n > 10) for n in (11, 12, 15, 20, 40)),
    *(("many_criteria", rubric(*[criterion()] * n), n > 10) for n in (1, 3, 5, 8, 10)),
]


@pytest.mark.parametrize(("rule", "checked", "is_warned"), WORDING)
def test_wording(rule: str, checked: Rubric, is_warned: bool) -> None:
    assert (rule in found(checked)) is is_warned


@pytest.mark.parametrize(("rule", "checked", "is_warned"), SHAPES)
def test_shape(rule: str, checked: Rubric, is_warned: bool) -> None:
    assert (rule in found(checked)) is is_warned


def test_every_rule_has_five_examples_for_and_against_it() -> None:
    told = [(rule, is_warned) for rule, _, is_warned in (one.values for one in WORDING)]
    told += [(rule, is_warned) for rule, _, is_warned in SHAPES]
    for rule in Adviser.of("en").texts.keys() - {"where"}:
        assert min(told.count((rule, True)), told.count((rule, False))) >= 5, rule


def test_a_good_rubric_is_left_alone() -> None:
    assert lint(rubric()) == []
    example = ROOT / "examples" / "class" / "rubric.toml"
    assert lint(parse_rubric(example.read_text("utf-8"), example.name)) == []


def test_a_finding_tells_where_it_stands() -> None:
    checked = rubric(
        criterion(id="c1"),
        Criterion("c2", "Is it fair?", (Level("top", 1, "Be strict."), *GOOD_LEVELS[1:])),
        instructions="Be strict.",
        title="Essay (9 points)",
    )
    places = [(one.rule, one.where, one.criterion, one.level, one.found) for one in lint(checked)]
    assert places == [
        ("sum", "title", "", "", "9 points"),
        ("harsh", "instructions", "", "", "Be strict"),
        ("harsh", "level", "c2", "top", "Be strict"),
        ("same_points", "criterion", "c2", "", "“top”, “one”"),
    ]


def test_findings_on_examples_tell_which() -> None:
    checked = shown(("word " * 301, "both"), ("One.", "one"), ("One.", "none"), also="met")
    told = [str(Adviser.of("en").told(advice)) for advice in lint(checked)]
    assert [one.split(". ")[0] for one in told] == [
        "Example 1: It has 301 words",
        "Criterion fair: All examples are on level “met”",
        "Example 3: Its answer is that of example 2, but on another level of claim",
    ]


def test_one_rule_is_told_once_for_a_criterion() -> None:
    assert found(rubric(texts("Several sources.", "Some sources.", "No source."))) == ["quantifier"]


def test_points_alone_need_no_texts() -> None:
    source = 'question = "q"\n[[criteria]]\nid = "a"\ndescription = "Is a gas named?"\npoints = 1'
    assert lint(parse_rubric(source, "r.toml")) == []


def test_both_languages_tell_every_advice_with_the_same_values() -> None:
    english, german = Adviser.of("en"), Adviser.of("de")
    assert english.texts.keys() == german.texts.keys()
    assert english.texts["where"].keys() == german.texts["where"].keys()
    for rule in english.texts.keys() - {"where"}:
        advice = Advice(rule, "level", "c-1", "FOUND", 7, "top")
        for told in (english.told(advice), german.told(advice)):
            assert "c-1" in told.where
            assert all((told.what, told.why, told.instead))
        one, other = english.told(advice), german.told(advice)
        for value in ("FOUND", "7"):
            assert (value in str(one)) == (value in str(other)), rule


def test_braces_in_a_rubric_are_only_text() -> None:
    told = Adviser.of("en").told(Advice("bare", "criterion", "x", "“{number.__class__}”"))
    assert told.what == "No text describes “{number.__class__}”."


def test_every_rule_is_described_and_no_other() -> None:
    page = (ROOT / "docs" / "reference" / "rubric.md").read_text("utf-8").split("## Warnings")[1]
    told = re.findall(r"^\| `(\w+)` \|", page.split("\n## ")[0], re.MULTILINE)
    assert sorted(told) == sorted(Adviser.of("en").texts.keys() - {"where"})


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_texts_have_all_their_parts(language: str) -> None:
    told = tomllib.loads((ADVICE / f"{language}.toml").read_text("utf-8"))
    for rule, parts in told.items():
        assert rule == "where" or set(parts) == {"what", "why", "instead"}
