"""The probabilities of the small real model, beside the words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from local_kit import MODEL_SECONDS, PACKAGE, environ, needs_model

pytestmark = [pytest.mark.slow, needs_model, pytest.mark.timeout(600)]

RUBRIC = """
question = "How do you find out which of two minerals is harder?"
reference = "The harder mineral leaves a scratch on the softer one."
[[criteria]]
id = "scratch"
description = "Does it say that the harder one scratches the other?"
levels = [
  { name = "full", points = 2 },
  { name = "partly", points = 1 },
  { name = "not", points = 0 },
]
[[criteria]]
id = "softer"
description = "Does it name the softer one?"
points = 1
"""


def test_its_probabilities_are_read_from_the_answer(tmp_path: Path):
    """That it grades well is not claimed: so small a model gains nothing."""
    (tmp_path / "rubric.toml").write_text(RUBRIC)
    (tmp_path / "one.csv").write_text("id,text\n1,The harder one scratches the softer mineral.\n")
    words = ["run", "one.csv", "--rubric", "rubric.toml", "--out", "one.jsonl", "--json"]
    words += ["--grader", "blend", "--provider", "local", "--model", f"package:{PACKAGE}"]
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-m", "gradeq", *words],
        cwd=tmp_path,
        env={**os.environ, **environ(tmp_path), "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=MODEL_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    row = json.loads((tmp_path / "one.jsonl").read_text())
    assert row["model"] == "SmolLM2-135M-Instruct.Q4_1"
    assert "provisional" in row["flags"]
    assert 0 < row["confidence"] < 1
    doubts = []
    for criterion in row["criteria"]:
        told = criterion["reason"].partition("finds probable: ")[2].rstrip(".").split(", ")
        shares = [float(one.rpartition(" ")[2].rstrip("%")) for one in told]
        assert 99 <= sum(shares) <= 101, criterion
        doubts.append(max(shares) < 100)
    assert any(doubts), "digits were read and not probabilities"
    assert row["output_tokens"] < 60
