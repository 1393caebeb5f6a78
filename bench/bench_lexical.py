"""How well the lexical grader agrees with people, whole questions left out.

    python -m bench.bench_lexical [FILE] [--examples 0 6 10 15] [--seeds 5] [--fit] [--ask URL]

FILE is a .csv with question_id, question, reference, text and human_label (correct or incorrect);
without it, the sample in examples/science. For each question the general weights are fitted on all
the others; with --examples, so many of its own graded answers are given to the grader, chosen at
random by --seeds seeds, and the rest is graded. Beside it stands an answer's length in words. --fit
prints the weights that all questions together give: those of gradeq.grading.lexical.calibration.

With --ask URL --model NAME a model behind an API like OpenAI's, with logprobs, judges each answer,
too; its log-odds, alone and beside the lexical ones, are weighed by the other questions. A key is
read from OPENAI_API_KEY. URL ends in /v1.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.level_odds import Asked, Model
from gradeq.grading.lexical.calibration import Calibration, Graded, Weights, fitted, logistic
from gradeq.grading.lexical.likeness import Likeness, Target
from gradeq.grading.lexical.likeness import Weights as WordWeights
from gradeq.grading.lexical.words import sentences_of, words_of

SAMPLE = Path(__file__).parents[1] / "examples" / "science" / "answers.csv"
_SOFT = (1.0, 1.0, 1.0, 0.01)
"""The prior of the general weights themselves: near 0 unless the data say otherwise."""


@dataclass(frozen=True, slots=True)
class Answer:
    question: str
    is_correct: bool
    words: int
    graded: Graded
    asked: Asked


@dataclass(frozen=True, slots=True)
class Guess:
    """Log-odds (or any other measure) that an answer is correct, and whether it is."""

    question: str
    odds: float
    is_correct: bool


def read(path: Path) -> list[Answer]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    asked = {row["question_id"]: row for row in rows}
    prepared = {id: _prepared(row) for id, row in asked.items()}
    return [_answer(row, *prepared[row["question_id"]]) for row in rows]


def _prepared(row: Mapping[str, str]) -> tuple[WordWeights, Target]:
    points = sentences_of(row["reference"])
    weights = WordWeights(row["question"], points)
    return weights, Target(points, weights)


def _answer(row: Mapping[str, str], weights: WordWeights, target: Target) -> Answer:
    text, is_correct = row["text"], row["human_label"] == "correct"
    words = words_of(text)
    trigrams = weights.trigrams(words, text)
    graded = Graded(target.likeness(text), trigrams, float(is_correct))
    asked = Asked(row["question"], row["reference"], text)
    return Answer(row["question_id"], is_correct, len(words), graded, asked)


def general(answers: Iterable[Answer]) -> Weights:
    told = [(one.graded.likeness, one.graded.value) for one in answers]
    return fitted(told, (0.0, 0.0, 0.0, 0.0), _SOFT)


def left_out(answers: Sequence[Answer], examples: int, seeds: int) -> list[Guess]:
    """Each question graded with the weights of the others and `examples` answers of its own."""
    guesses = []
    for question in dict.fromkeys(one.question for one in answers):
        own = [one for one in answers if one.question == question]
        weights = general(one for one in answers if one.question != question)
        for seed in range(seeds if examples else 1):
            shown = set(random.Random(f"{question} {seed}").sample(range(len(own)), examples))
            graded = [one.graded for at, one in enumerate(own) if at in shown]
            calibration = Calibration.of(graded, weights)
            guesses += [_guess(calibration, one) for at, one in enumerate(own) if at not in shown]
    return guesses


def _guess(calibration: Calibration, answer: Answer) -> Guess:
    told = answer.graded
    odds = calibration.log_odds(told.likeness, told.trigrams)
    return Guess(answer.question, odds, answer.is_correct)


def with_model(answers: Sequence[Answer], odds: Sequence[float], *, alone: bool) -> list[Guess]:
    """The model's log-odds, alone or beside the lexical ones, weighed by the other questions."""
    guesses = []
    for question in dict.fromkeys(one.question for one in answers):
        calibration = Calibration(general(one for one in answers if one.question != question))
        lexical = [0.0 if alone else _guess(calibration, one).odds for one in answers]
        rows = [Likeness(mine, told, 0.0) for mine, told in zip(lexical, odds, strict=True)]
        both = list(zip(answers, rows, strict=True))
        others = [(row, one.graded.value) for one, row in both if one.question != question]
        weights = Calibration(fitted(others, (0.0, 0.0, 0.0, 0.0), _SOFT))
        guesses += [
            Guess(question, weights.log_odds(row, {}), one.is_correct)
            for one, row in both
            if one.question == question
        ]
    return guesses


def by_length(answers: Sequence[Answer]) -> list[Guess]:
    """Longer than the median answer of the other questions: correct."""
    guesses = []
    for one in answers:
        others = sorted(other.words for other in answers if other.question != one.question)
        longer = one.words - others[len(others) // 2] - 0.5
        guesses.append(Guess(one.question, longer, one.is_correct))
    return guesses


def area(guesses: Sequence[Guess]) -> float:
    """Under the ROC curve: how often a correct answer is put above an incorrect one."""
    good = [one.odds for one in guesses if one.is_correct]
    bad = [one.odds for one in guesses if not one.is_correct]
    wins = sum((one > other) + (one == other) / 2 for one in good for other in bad)
    return wins / (len(good) * len(bad))


def agreement(guesses: Sequence[Guess]) -> tuple[float, float]:
    """Exact agreement, and Cohen's kappa."""
    count = len(guesses)
    exact = sum((one.odds > 0) == one.is_correct for one in guesses) / count
    said = sum(one.odds > 0 for one in guesses) / count
    true = sum(one.is_correct for one in guesses) / count
    chance = said * true + (1 - said) * (1 - true)
    return exact, (exact - chance) / (1 - chance)


def told(label: str, guesses: Sequence[Guess]) -> str:
    exact, kappa = agreement(guesses)
    figures = f"{exact:>8.3f}{area(guesses):>8.3f}{kappa:>8.3f}"
    return f"{label:<34}{len(guesses):>6}{figures}"


def by_confidence(guesses: Sequence[Guess]) -> str:
    """How often the surest third is right, and the most doubtful."""
    ordered = sorted(guesses, key=lambda one: abs(one.odds))
    third = len(ordered) // 3
    doubtful, sure = ordered[:third], ordered[-third:]
    means = [sum(logistic(abs(one.odds)) for one in part) / third for part in (doubtful, sure)]
    right = [agreement(part)[0] for part in (doubtful, sure)]
    return (
        f"most doubtful third: right {right[0]:.2f}, confidence {means[0]:.2f}; "
        f"surest third: right {right[1]:.2f}, confidence {means[1]:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?", default=SAMPLE)
    parser.add_argument("--examples", type=int, nargs="*", default=[0, 6, 10, 15])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--ask", metavar="URL")
    parser.add_argument("--model", default="default")
    asked = parser.parse_args()
    answers = read(asked.file)
    if asked.fit:
        print("GENERAL =", tuple(round(one, 2) for one in general(answers)))
    print(f"{'':<34}{'n':>6}{'exact':>8}{'AUC':>8}{'kappa':>8}")
    print(told("length", by_length(answers)))
    for count in asked.examples:
        guesses = left_out(answers, count, asked.seeds)
        print(told(f"lexical, {count} graded answers each", guesses), flush=True)
        if not count:
            print(f"  {by_confidence(guesses)}")
            print(f"  {by_question(guesses)}")

    if asked.ask:
        model = Model(asked.ask, asked.model, os.environ.get("OPENAI_API_KEY", ""))
        odds = [model.odds(one.asked) for one in answers]
        print(told(f"{asked.model} alone", with_model(answers, odds, alone=True)))
        print(told(f"{asked.model} + lexical", with_model(answers, odds, alone=False)))


def by_question(guesses: Sequence[Guess]) -> str:
    """The areas within the questions, from the worst to the best."""
    parts = defaultdict(list)
    for one in guesses:
        parts[one.question].append(one)
    areas = sorted(area(part) for part in parts.values())
    return "AUC within each question: " + ", ".join(f"{one:.2f}" for one in areas)


if __name__ == "__main__":
    main()
