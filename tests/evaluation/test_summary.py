"""What a run says: flags, persons, and what is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gradeq.errors import ConfigError
from gradeq.evaluation.compare import compared
from gradeq.evaluation.people import Measure
from gradeq.evaluation.runs import FORM, Header, Outcome, Run, load_run, save_run
from gradeq.evaluation.scale import Scale
from gradeq.evaluation.summary import summarised

CLAIM = Measure("claim", Scale((0.0, 1.0, 2.0), ("none", "some", "clear")), ("claim",))
HEADER = Header(FORM, "l.csv", "f", "llm", "m", False, "r", (CLAIM,))


def paper(number: int, person: float, grader: float | None, *flags: str) -> Outcome:
    graded = {} if grader is None else {"claim": grader}
    reason = "refused" if grader is None else None
    return Outcome(
        str(number), "", {1: {"claim": person}}, graded, reason, flags, words=10 + number
    )


def run(*papers: Outcome) -> Run:
    return Run(HEADER, papers)


def test_flags_that_hold_the_errors_are_told_apart_from_those_that_do_not():
    flagged = [paper(n, 2.0, 0.0, "simulated", "hostile_text") for n in range(20)]
    right = [paper(20 + n, float(n % 3), float(n % 3), "simulated") for n in range(40)]
    summary = summarised(run(*flagged, *right))
    marked = {one.name: one for one in summary.flags}
    assert set(marked) == {"any flag", "hostile_text", "no flag"}
    hostile = marked["hostile_text"]
    assert (hostile.n, hostile.wrong) == (20, 20)
    assert hostile.difference is not None
    assert hostile.difference.value == 1
    assert hostile.difference.excludes_zero
    assert (marked["no flag"].n, marked["no flag"].wrong) == (40, 0)


def test_a_few_flagged_papers_tell_nothing():
    flagged = [paper(n, 2.0, 0.0, "canary") for n in range(4)]
    right = [paper(4 + n, float(n % 3), float(n % 3)) for n in range(40)]
    canary = summarised(run(*flagged, *right)).flags[1]
    assert (canary.n, canary.wrong) == (4, 4)
    assert canary.difference is not None
    assert (canary.difference.low, canary.difference.why) == (
        None,
        "fewer than 5 papers to compare",
    )


def test_confusion_counts_every_level_and_what_could_not_be_assessed():
    papers = [paper(0, 2.0, 1.0), paper(1, 2.0, 2.0), paper(2, 0.0, 0.0), paper(3, 0.0, None)]
    unsure = replace(paper(4, 1.0, 1.0), grader={})
    summary = summarised(run(*papers, unsure))
    [confusion] = summary.confusions
    assert confusion.rows == confusion.columns == ("none", "some", "clear")
    assert confusion.counts == ((1, 0, 0), (0, 0, 0), (0, 1, 1))
    assert confusion.unassessed == 1
    assert summary.ungraded == {"refused": 1}
    assert summary.headline["exact"].n == 3


def test_a_baseline_without_a_reference_says_so():
    summary = summarised(run(*(paper(n, float(n % 3), 1.0) for n in range(12))))
    by_name = {line.title: line for line in summary.lines}
    assert by_name["by word overlap"].why == "no reference answer"
    assert by_name["by length alone"].figures["exact"].n == 12


def test_a_run_is_kept_and_read_again(tmp_path: Path):
    kept = run(paper(0, 2.0, 1.0, "canary"), paper(1, 0.0, None))
    save_run(kept, tmp_path / "run.jsonl")
    assert load_run(tmp_path / "run.jsonl") == kept
    newer = Run(replace(HEADER, gradeq_evaluation=FORM + 1), ())
    save_run(newer, tmp_path / "newer.jsonl")
    with pytest.raises(ConfigError, match="its form is 2"):
        load_run(tmp_path / "newer.jsonl")


def test_a_comparison_is_over_the_papers_that_both_graded():
    before = run(*(paper(n, 2.0, 0.0) for n in range(8)), paper(8, 1.0, None), paper(9, 1.0, 1.0))
    now = run(*(paper(n, 2.0, 2.0) for n in range(8)), paper(8, 1.0, 1.0), paper(9, 1.0, 2.0))
    found = compared(before, now)
    assert (found.n, len(found.nearer), len(found.farther)) == (9, 8, 1)
    assert (found.only_before, found.only_now) == (1, 8)
    assert found.p == pytest.approx(20 / 512)
    assert found.differences["exact"].value == pytest.approx(7 / 9)
    assert found.differences["bias"].value == pytest.approx(17 / 9)


def test_confidence_is_held_against_being_right():
    sure = [replace(paper(n, 2.0, 2.0), confidence=0.9) for n in range(20)]
    unsure = [replace(paper(20 + n, 2.0, n % 2 * 2.0), confidence=0.2) for n in range(20)]
    found = summarised(run(*sure, *unsure)).confidence
    assert found is not None
    assert [(one.low, one.exact.n, one.exact.value) for one in found.parts] == [
        (0.2, 20, 0.5),
        (0.9, 20, 1.0),
    ]
    # Of 30 right papers 20 have more confidence than each wrong one, the other 10 as much.
    assert found.auc.value == pytest.approx((20 + 10 / 2) / 30)
    assert summarised(run(paper(0, 2.0, 2.0))).confidence is None


def test_a_sure_yes_ranks_above_an_unsure_one():
    yes_or_no = Measure("claim", Scale((0.0, 2.0), ("no", "yes")), ("claim",))
    told = [(2.0, 2.0, 0.9), (2.0, 0.0, 0.6), (0.0, 2.0, 0.7), (0.0, 0.0, 0.8)]
    papers = [
        replace(paper(n, person, grader), confidence=confidence)
        for n, (person, grader, confidence) in enumerate(told)
    ]
    rated = Run(replace(HEADER, measures=(yes_or_no,)), tuple(papers))
    # Yes is 0.9 and 0.4 probable for the right ones, 0.7 and 0.2 for the wrong ones.
    assert summarised(rated).headline["auc"].value == 3 / 4
    unsure = Run(rated.header, tuple(replace(one, confidence=None) for one in papers))
    assert summarised(unsure).headline["auc"].value == 2 / 4
    assert compared(unsure, rated).differences["auc"].value == 1 / 4
