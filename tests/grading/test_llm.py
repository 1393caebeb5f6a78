from __future__ import annotations

import secrets

import pytest

from gradeq.grading.llm import MOST_CHARACTERS
from gradeq.grading.prepared import Decided, Prepared, Unusable
from gradeq.grading.rubric import parse_rubric
from gradeq.model import Flag, Grade, GradeSource
from gradeq.outcome import ErrorClass

from .helpers import (
    SOURCE,
    a_grader,
    a_job,
    a_reply,
    a_rubric,
    a_submission,
    an_answer,
    prepared,
)

PAPER = "Leaves are green because of chlorophyll, I think. Ada Lovelace"


def key(text: str = PAPER, student: str = "Ada Lovelace", **options: object) -> str:
    source = str(options.pop("source", SOURCE))
    job = a_job(a_submission(text, student=student))
    made = a_grader(**options).prepare(job, parse_rubric(source, "r.toml"))
    assert isinstance(made, Prepared)
    return made.request_key


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b\ufeff", "<p>&nbsp;</p>"])
def test_a_blank_paper_is_decided_without_a_call_and_gets_no_grade(text: str) -> None:
    decided = a_grader().prepare(a_job(a_submission(text)), a_rubric())
    assert decided == Decided("the paper is blank", Flag.BLANK)


def test_an_over_long_paper_is_decided_without_a_call() -> None:
    longest = a_grader().prepare(a_job(a_submission("word " * (MOST_CHARACTERS // 5))), a_rubric())
    assert isinstance(longest, Prepared)
    decided = a_grader(max_characters=10).prepare(a_job(a_submission("12345678901")), a_rubric())
    assert decided == Decided(
        "the paper has 11 characters, more than the 10 that are sent to a model: "
        "grade it by hand, shorten it or raise the limit"
    )


def test_a_job_without_a_paper_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="job 1 has no submission"):
        a_grader().prepare(a_job(None), a_rubric())


def test_a_good_answer_becomes_a_grade_with_the_model_that_gave_it() -> None:
    grade = a_grader().read(an_answer(a_reply()), prepared(PAPER))
    assert isinstance(grade, Grade)
    assert (grade.score, grade.model, grade.source) == (5.0, "model-1-2026", GradeSource.MODEL)


def test_refused_and_cut_answers_are_unusable_even_if_they_look_well() -> None:
    made = prepared(PAPER)
    refused = a_grader().read(an_answer(a_reply(), "refusal"), made)
    assert refused == Unusable("the model refused to grade this paper", ErrorClass.REFUSED)
    cut = a_grader().read(an_answer(a_reply(), "length"), made)
    tokens = made.prompt.max_output_tokens
    assert cut == Unusable(f"the answer was cut at {tokens} tokens", ErrorClass.CUT)


def test_a_stored_answer_reads_the_same_in_a_new_process_with_other_random_numbers() -> None:
    job = a_job(a_submission(PAPER, student="Ada Lovelace"))
    first, second = (a_grader(new_marker=lambda: secrets.token_hex(16)) for _ in range(2))
    sent, again = first.prepare(job, a_rubric()), second.prepare(job, a_rubric())
    assert isinstance(sent, Prepared)
    assert isinstance(again, Prepared)
    assert sent.prompt.user != again.prompt.user
    assert sent.prompt.system == again.prompt.system
    assert sent.request_key == again.request_key
    quote = f"chlorophyll, I think. {sent.alias.pseudonym}"
    answer = an_answer(a_reply(evidence=[quote], feedback=f"{sent.alias.pseudonym}, good."))
    assert second.read(answer, again) == first.read(answer, sent)


def test_the_request_key_follows_what_is_asked() -> None:
    assert key() == key()
    assert key() != key(text=PAPER + "!")
    assert key() != key(model="model-2")
    assert key() != key(source=SOURCE.replace("Neither.", "None."))
    assert key() != key(student="Grace Hopper")
    assert key() != key(pseudonyms=False)


def test_an_edit_of_points_alone_needs_no_new_call() -> None:
    assert key(source=SOURCE.replace("points = 3", "points = 4")) == key()


def test_names_stay_in_only_where_pseudonyms_are_switched_off() -> None:
    job = a_job(a_submission(PAPER, student="Ada Lovelace"))
    for on in (True, False):
        made = a_grader(pseudonyms=on).prepare(job, a_rubric())
        assert isinstance(made, Prepared)
        assert ("Ada Lovelace" in made.prompt.user) is not on


def test_what_was_handed_in_is_never_changed_by_what_is_sent() -> None:
    text = "Leaves\u200b are\r\ngreen\x00 because of chlorophyll."
    made = prepared(text)
    assert "Leaves are\ngreen because" in made.prompt.user
    grade = a_grader().read(an_answer(a_reply(evidence=["leaves are green"])), made)
    assert isinstance(grade, Grade)
    found = grade.criteria[0].evidence[0]
    assert text[found.start : found.end] == "Leaves\u200b are\r\ngreen"


def test_lone_surrogates_and_nuls_can_be_sent() -> None:
    made = prepared("Leaves \ud800 are \x00 green \udfff")
    made.prompt.user.encode()
    assert made.request_key
