"""The lines of OpenAI's batch files: requests in, results and errors out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gradeq.providers.simulated.batches.batch import Asked, Ending, Result

ENDPOINT = "/v1/chat/completions"
MAX_ENTRIES = 50_000

_NOT_EXECUTED = {
    Ending.EXPIRED: {
        "code": "batch_expired",
        "message": "This request could not be executed before the completion window expired.",
    },
    Ending.CANCELED: {
        "code": "batch_cancelled",
        "message": "This batch was cancelled before this request was executed.",
    },
}


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    custom_id: str
    method: str
    url: str
    body: msgspec.Raw


class _Model(msgspec.Struct):
    model: str = ""


@dataclass(slots=True)
class Input:
    """An input file as it was understood. With any problem, nothing of it is worked on."""

    asked: list[Asked] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)

    def complain(self, code: str, message: str, line: int | None, param: str | None = None) -> None:
        problem = {"code": code, "line": line, "message": message, "param": param}
        self.problems.append(problem)


def read_input(data: bytes) -> Input:
    """Check every line, as the real one does while the batch is `validating`."""
    found, models, seen = Input(), set[str](), set[str]()
    lines = data.splitlines()
    for number, text in enumerate(lines, 1):
        try:
            line = msgspec.json.decode(text, type=_Line)
            models.add(msgspec.json.decode(line.body, type=_Model).model)
        except msgspec.DecodeError:
            found.complain("invalid_json_line", "This line is not parseable as valid JSON.", number)
            continue
        if line.url != ENDPOINT or line.method != "POST":
            message = "The URL of this request does not match the batch's endpoint."
            found.complain("url_mismatch", message, number, "url")
        if line.custom_id in seen:
            message = f"The custom_id '{line.custom_id}' is used more than once."
            found.complain("duplicate_custom_id", message, number, "custom_id")
        seen.add(line.custom_id)
        found.asked.append(Asked(line.custom_id, bytes(line.body)))
    _check_whole(found, len(lines), models)
    return found


def _check_whole(found: Input, lines: int, models: set[str]) -> None:
    if not lines:
        found.complain("empty_file", "The batch input file is empty.", None)
    if lines > MAX_ENTRIES:
        message = f"The batch input file has more than {MAX_ENTRIES} requests."
        found.complain("too_many_tasks", message, None)
    if len(models) > 1:
        message = "All requests of a batch must name the same model."
        found.complain("model_mismatch", message, None, "body.model")


def written(results: Iterable[Result], *, errors: bool) -> bytes:
    """The output file, or with `errors` the error file; empty where nothing belongs into it."""
    numbered = enumerate(results, 1)
    wanted = [(n, each) for n, each in numbered if (each.ending is not Ending.SUCCEEDED) is errors]
    return b"".join(_line(number, result) for number, result in wanted)


def _line(number: int, result: Result) -> bytes:
    name = f"batch_req_Sim{number:08d}"
    response = None
    if result.ending not in _NOT_EXECUTED:
        response = {
            "status_code": result.status,
            "request_id": f"req_{name}",
            "body": msgspec.Raw(result.body),
        }
    error = _NOT_EXECUTED.get(result.ending)
    line = {"id": name, "custom_id": result.custom_id, "response": response, "error": error}
    data = msgspec.json.encode(line)
    return (data[: len(data) // 2] if result.is_damaged else data) + b"\n"
