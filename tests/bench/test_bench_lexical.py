"""The lexical grader beside people, whole questions left out."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from bench import bench_lexical as bench
from bench.level_odds import Asked, Model
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
    command = [sys.executable, "-m", "bench.bench_lexical", "--examples", "0", "6", "--seeds", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[1].startswith("length")
    assert any(line.startswith("lexical, 6 graded answers each") for line in lines)


# A model beside it ------------------------------------------------------------------------------


class Oracle(BaseHTTPRequestHandler):
    """Speaks like OpenAI's chat completions. It knows the right answers, or returns no logprobs."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert (asked["max_tokens"], asked["logprobs"], self.path) == (
            1,
            True,
            "/v1/chat/completions",
        )
        is_right = "right" in asked["messages"][1]["content"]
        told = [("The", 0.6), (" 1", 0.3 if is_right else 0.1), ("2", 0.1 if is_right else 0.3)]
        top = [{"token": token, "logprob": math.log(chance)} for token, chance in told]
        logprobs = {"content": [{"top_logprobs": top}]} if asked["model"] == "oracle" else None
        body = json.dumps({"choices": [{"logprobs": logprobs}]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: pytest's output is for failures."""


@pytest.fixture
def oracle() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Oracle) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


def test_a_model_is_asked_for_one_token_and_its_odds_are_read(oracle: str) -> None:
    model = Model(oracle, "oracle")
    assert model.odds(Asked("q", "r", "right")) == pytest.approx(math.log(3), abs=1e-4)
    assert model.odds(Asked("q", "r", "wrong")) == pytest.approx(-math.log(3), abs=1e-4)
    with pytest.raises(ValueError, match="no logprobs"):
        Model(oracle, "mute").odds(Asked("q", "r", "right"))


@pytest.mark.slow
def test_a_good_model_helps_and_a_blind_one_does_not(answers: list[bench.Answer]) -> None:
    knows = [2.0 if one.is_correct else -2.0 for one in answers]
    assert bench.area(bench.with_model(answers, knows, alone=True)) == 1.0
    assert bench.agreement(bench.with_model(answers, knows, alone=False))[0] == 1.0
    blind = [0.0 for _ in answers]
    lexical = bench.area(bench.left_out(answers, examples=0, seeds=1))
    with_blind = bench.area(bench.with_model(answers, blind, alone=False))
    assert with_blind == pytest.approx(lexical, abs=0.02)
