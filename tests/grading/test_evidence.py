from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeq.grading.evidence import Parrots, QuoteFinder
from gradeq.grading.normalise import normalise

from .helpers import a_rubric
from .test_normalise import AWKWARD

PAPER = (
    "Leaves are green, because of “chlorophyll”.  It doesn’t\nabsorb green light — "
    "it reflects it.\n"
    "In autumn the ﬁnal chlorophyll decays … and other pigments show. I know no more."
)


def found(quote: str, paper: str = PAPER) -> str | None:
    """What the paper has where the quote was found."""
    span = QuoteFinder(normalise(paper)).find(quote)
    return None if span is None else paper[slice(*span)]


@pytest.mark.parametrize(
    ("quote", "stands_for"),
    [
        ("Leaves are green", "Leaves are green"),
        ("  leaves ARE   green ", "Leaves are green"),
        ('because of "chlorophyll"', "because of “chlorophyll"),
        (
            "It doesn't absorb green light - it reflects",
            "It doesn’t\nabsorb green light — it reflects",
        ),
        ("the final chlorophyll decays", "the ﬁnal chlorophyll decays"),
        ("decays ... and other", "decays … and other"),
        ("Leaves are green ... it reflects it.", PAPER[: PAPER.index("it.\n") + 2]),
        ("Leaves are green […] reflects it", PAPER[: PAPER.index("it.\n") + 2]),
        ("...other pigments show...", "other pigments show"),
        ("pigments show!", "pigments show"),
        ("no", "no"),
    ],
)
def test_a_quote_is_found_as_a_person_would_find_it(quote: str, stands_for: str) -> None:
    assert found(quote) == stands_for


@pytest.mark.parametrize(
    "quote",
    [
        "",
        "  ",
        "...",
        "!?",
        '""',
        "Leaves are red",
        "green are leaves",
        "reflects it ... Leaves are green",
        "...".join("Leaves"[:1] * 30),
        "\ud800",
        "\x00",
    ],
)
def test_what_is_not_there_is_not_found(quote: str) -> None:
    assert found(quote) is None


def test_a_whole_word_is_preferred_to_a_part_of_one() -> None:
    span = QuoteFinder(normalise(PAPER)).find("no")
    assert span == (PAPER.index("no more"), PAPER.index("no more") + 2)
    assert found("low", "yellow") == "low"


def test_offsets_count_in_the_text_as_it_was_handed_in() -> None:
    paper = "\ufeffCafe\u0301\r\nis\u200b\u200b a cafe\u0301."
    assert found("Café is a café", paper) == "Cafe\u0301\r\nis\u200b\u200b a cafe\u0301"


@given(AWKWARD, st.data())
def test_whatever_is_copied_from_the_paper_is_verified(text: str, data: st.DataObject) -> None:
    sent = normalise(text)
    start = data.draw(st.integers(0, len(sent.text)))
    end = data.draw(st.integers(start, len(sent.text)))
    quote = sent.text[start:end].strip()
    span = QuoteFinder(sent).find(quote)
    assert (span is None) == (not quote)
    if span is not None:
        assert 0 <= span[0] < span[1] <= len(text)
        assert quote in normalise(text[slice(*span)]).text


# Letters whose capitals are other letters when made small again are another matter.
PLAIN_LETTERS = st.characters(categories=["Lu", "Ll", "Lo", "Nd"]).filter(
    lambda letter: len(letter.upper()) == 1 and letter.upper().casefold() == letter.casefold()
)


@given(st.lists(st.text(PLAIN_LETTERS, min_size=1, max_size=9), min_size=1), st.data())
def test_case_and_spacing_do_not_matter(words: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(words) - 1))
    end = data.draw(st.integers(start + 1, len(words)))
    finder = QuoteFinder(normalise("  ".join(words)))
    assert finder.find("\n ".join(words[start:end]).upper()) is not None


def test_parts_joined_by_an_ellipsis_are_found_in_order() -> None:
    words = [f"word{n:02}" for n in range(40)]
    finder = QuoteFinder(normalise(" ".join(words)))
    assert finder.find("word03 word04 ... word07 ... word30") is not None
    assert finder.find("word07 ... word03") is None


def test_long_papers_are_searched_in_linear_time() -> None:
    """Quadratic, these would run into the suite's timeout."""
    for text in ("a" * 300_000, "ab " * 100_000, "..." * 100_000, "no know " * 40_000):
        finder = QuoteFinder(normalise(text))
        assert finder.find(text[:150_000] + "x") is None
        assert finder.find(text[:3_000].upper()) is not None
        assert finder.find("...".join("aqaq" * 4)) is None


def test_repeating_the_rubric_is_noticed_in_quotes_and_papers() -> None:
    parrots = Parrots(a_rubric())
    assert parrots.quote_repeats("name chlorophyll as the reason for the GREEN colour?")
    assert parrots.quote_repeats("Why are most leaves green")
    assert not parrots.quote_repeats("Chlorophyll")
    assert not parrots.quote_repeats("Leaves are green because of chlorophyll")
    assert parrots.paper_repeats("I wrote:\nChlorophyll is named and  its role explained.")
    assert not parrots.paper_repeats(
        "Why are most leaves green, and why do some turn red in autumn?"
    )
    assert not parrots.paper_repeats("Chlorophyll is named.")
