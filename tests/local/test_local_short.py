"""The small real model, once, by the command that a school types."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from local_kit import MODEL_SECONDS, PACKAGE, RUBRIC, environ, needs_model

pytestmark = [pytest.mark.slow, needs_model, pytest.mark.timeout(600)]


def test_a_paper_is_graded_without_key_and_network(tmp_path: Path):
    """That it grades well is not claimed: so small a model does not."""
    (tmp_path / "rubric.toml").write_text(RUBRIC)
    (tmp_path / "one.csv").write_text("id,text\n1,Schools should start later: sleep matters.\n")
    words = ["run", "one.csv", "--rubric", "rubric.toml", "--out", "one.jsonl", "--json"]
    words += ["--provider", "local", "--model", f"package:{PACKAGE}"]
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
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["graded"], told["cost"]) == (1, 0.0)
    row = json.loads((tmp_path / "one.jsonl").read_text())
    assert row["model"] == "SmolLM2-135M-Instruct.Q4_1"
    (criterion,) = row["criteria"]
    assert criterion["level"] in ("clear", "none", "cannot_assess")
    assert row["input_tokens"] > 200
    assert row["output_tokens"] > 10
