"""The lexical grader beside people, whole questions left out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench import bench_lexical as bench
from gradeq.grading.lexical.calibration import GENERAL

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "examples" / "science" / "answers.csv"


@pytest.fixture(scope="module")
def answers() -> list[bench.Answer]:
    return bench.read(SAMPLE)


def test_it_agrees_with_people_far_better_than_length_does(answers: list[bench.Answer]) -> None:
    guesses = bench.left_out(answers, examples=0, seeds=1)
    length = bench.by_length(answers)
    assert len(guesses) == len(length) == 240
    assert bench.area(guesses) > bench.area(length) + 0.15
    assert bench.agreement(guesses)[1] > bench.agreement(length)[1] + 0.25


def test_the_shipped_weights_are_those_of_the_whole_sample(answers: list[bench.Answer]) -> None:
    assert bench.general(answers) == pytest.approx(GENERAL, abs=0.01)


def test_perfect_and_useless_guesses() -> None:
    right = [bench.Guess("q", 1.0, is_correct=True), bench.Guess("q", -1.0, is_correct=False)]
    assert (bench.area(right), *bench.agreement(right)) == (1.0, 1.0, 1.0)
    blind = [bench.Guess("q", 1.0, is_correct=one) for one in (True, False)]
    assert (bench.area(blind), *bench.agreement(blind)) == (0.5, 0.5, 0.0)


@pytest.mark.slow
def test_the_command_prints_its_table() -> None:
    command = [sys.executable, "bench/bench_lexical.py", "--examples", "0", "6", "--seeds", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[1].startswith("length")
    assert any(line.startswith("lexical, 6 graded answers each") for line in lines)
