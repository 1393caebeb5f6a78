"""Quotes of a grade, marked in the text of a paper."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gradeq.grading.normalise import normalise
from gradeq.model import CriterionGrade, Evidence
from gradeq.web.pages.highlights import Piece, highlighted


def criterion(name: str, *spans: tuple[int | None, int | None]) -> CriterionGrade:
    return CriterionGrade(name, "good", 1, "", tuple(Evidence("…", *span) for span in spans))


def test_overlapping_quotes_are_cut_where_one_begins_or_ends() -> None:
    shown = highlighted("abcdefgh", [criterion("one", (1, 5)), criterion("two", (3, 7), (3, 4))])
    assert [(one.text, one.criteria) for one in shown.pieces] == [
        ("a", ()),
        ("bc", (1,)),
        ("d", (1, 2)),
        ("e", (1, 2)),
        ("fg", (2,)),
        ("h", ()),
    ]
    assert shown.places == {(1, 1): 1, (2, 1): 2, (2, 2): 2}


def test_quotes_that_are_nowhere_mark_nothing() -> None:
    spans = [(None, None), (-5, 2), (4, 4), (5, 3), (7, 99)]
    shown = highlighted("abcdefgh", [criterion("one", *spans)])
    marked = [one.text for one in shown.pieces if one.criteria]
    assert marked == ["ab", "h"]
    assert list(shown.places) == [(1, 2), (1, 5)]


def test_what_nobody_would_see_gets_its_code() -> None:
    shown = highlighted("a\u200b\u200b\u2063b\u202e", [criterion("one", (0, 2))])
    assert [one.codes for one in shown.pieces if one.is_unseen] == [
        "U+200B",
        "U+200B U+2063 ×2",
        "U+202E",
    ]
    assert [one.criteria for one in shown.pieces][:3] == [(1,), (1,), ()]
    assert highlighted("", []).pieces == []


@given(
    st.text(st.characters() | st.sampled_from("\u200b\u202e\u2063\n\r\x00")),
    st.lists(st.tuples(st.integers(-3, 30), st.integers(-3, 30)), max_size=6),
)
def test_the_pieces_make_up_the_text(text: str, spans: list[tuple[int, int]]) -> None:
    shown = highlighted(text, [criterion(str(n), span) for n, span in enumerate(spans)])
    assert "".join(one.text for one in shown.pieces) == text
    assert all(one.text for one in shown.pieces)
    visible = "".join(one.text for one in shown.pieces if not one.is_unseen)
    assert normalise(visible).text == normalise(text).text.replace("\ufffd", "")
    at = 0
    for piece in shown.pieces:
        holding = {n for n, (a, b) in enumerate(spans, 1) if a <= at and at + len(piece.text) <= b}
        assert set(piece.criteria) == holding
        at += len(piece.text)
    assert replace(Piece("x"), is_unseen=True).codes == "U+0078"
