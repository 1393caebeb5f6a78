"""Both batch APIs byte by byte: what is sent, and what is made of answers as they were seen."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from batch_kit import INTENT, entries, prompt
from scripted_server import KEY, Exchange, response

from gradeq.config import ProviderSettings
from gradeq.errors import ConfigError
from gradeq.limiter.base import Usage
from gradeq.outcome import ErrorClass
from gradeq.providers.anthropic import AnthropicDialect, AnthropicForm
from gradeq.providers.base import Answer, Failure
from gradeq.providers.batching import Outcome, Progress
from gradeq.providers.build import build_batch_provider
from gradeq.providers.openai import OpenAIDialect, OpenAIForm

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x-1",
    "content": [{"type": "tool_use", "id": "t1", "name": "grade", "input": {"level": "good"}}],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 100, "output_tokens": 20, "cache_read_input_tokens": 7},
}
COMPLETION = {
    "id": "c1",
    "object": "chat.completion",
    "model": "gpt-x-1",
    "choices": [{"message": {"role": "assistant", "content": "{}"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 100, "completion_tokens": 20},
}


def message_batch(**changes: Any) -> dict[str, Any]:
    """As in Anthropic's reference."""
    return {
        "id": "msgbatch_013Zva2CMHLNnXjNJJKqJ2EF",
        "type": "message_batch",
        "processing_status": "in_progress",
        "request_counts": counts(processing=2),
        "ended_at": None,
        "created_at": "2027-01-15T08:00:00.100435Z",
        "expires_at": "2027-01-16T08:00:00.100435Z",
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": None,
    } | changes


def counts(**told: int) -> dict[str, int]:
    names = ("processing", "succeeded", "errored", "canceled", "expired")
    return dict.fromkeys(names, 0) | told


def batch(**changes: Any) -> dict[str, Any]:
    """As in OpenAI's reference."""
    return {
        "id": "batch_abc123",
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "errors": None,
        "input_file_id": "file-in",
        "completion_window": "24h",
        "status": "completed",
        "output_file_id": "file-out",
        "error_file_id": "file-err",
        "created_at": 1_800_000_000,
        "request_counts": {"total": 3, "completed": 1, "failed": 0},
        "metadata": {"gradeq_intent": INTENT},
    } | changes


def jsonl(*lines: Any) -> bytes:
    parts = [each if isinstance(each, bytes) else msgspec.json.encode(each) for each in lines]
    return response(b"".join(part + b"\n" for part in parts))


def succeeded(custom_id: str) -> dict[str, Any]:
    return {"custom_id": custom_id, "result": {"type": "succeeded", "message": MESSAGE}}


def completed(custom_id: str, status: int = 200, body: Any = COMPLETION) -> dict[str, Any]:
    reply = {"status_code": status, "request_id": "req_9", "body": body}
    return {"id": "batch_req_1", "custom_id": custom_id, "response": reply, "error": None}


async def read(provider: Any, batch_id: str = "b1") -> dict[str, Any]:
    found = [each async for each in provider.outcomes(batch_id)]
    assert all(isinstance(each, Outcome) for each in found), found
    return {each.custom_id: each.came for each in found}


# What is sent -----------------------------------------------------------------------------------


async def test_what_anthropic_is_posted(server, batches_at):
    server.will(response(message_batch()))
    provider = batches_at(server.url)
    assert await provider.post(INTENT, entries(2)) == "msgbatch_013Zva2CMHLNnXjNJJKqJ2EF"
    (seen,) = server.requests
    assert seen.line == "POST /v1/messages/batches HTTP/1.1"
    assert (seen.headers["x-api-key"], seen.headers["anthropic-version"]) == (KEY, "2023-06-01")
    assert seen.headers["content-type"] == "application/json"
    dialect = AnthropicDialect("some-model")
    bodies = [dialect.encode(prompt(number), AnthropicForm()) for number in range(2)]
    wanted = b",".join(
        b'{"custom_id":"%b-%d","params":%b}' % (INTENT.encode(), number, body)
        for number, body in enumerate(bodies)
    )
    assert seen.body == b'{"requests":[%b]}' % wanted
    assert sum(map(provider.size, entries(2))) == len(wanted) + 1
    assert (provider.max_entries, 250_000_000 < provider.max_bytes < 256_000_000) == (100_000, True)


async def test_what_openai_is_posted(server, batches_at):
    server.will(response({"id": "file-in", "object": "file"}), response(batch()))
    provider = batches_at(server.url, "openai")
    assert await provider.post(INTENT, entries(2)) == "batch_abc123"
    upload, order = server.requests
    dialect = OpenAIDialect("some-model", server.url)
    bodies = [dialect.encode(prompt(number), OpenAIForm()) for number in range(2)]
    lines = [
        b'{"custom_id":"%b-%d","method":"POST","url":"/v1/chat/completions","body":%b}\n'
        % (INTENT.encode(), number, body)
        for number, body in enumerate(bodies)
    ]
    edge = f"--gradeq-{INTENT}".encode()
    assert upload.line == "POST /v1/files HTTP/1.1"
    assert upload.headers["authorization"] == f"Bearer {KEY}"
    assert upload.headers["content-type"] == f"multipart/form-data; boundary=gradeq-{INTENT}"
    assert upload.body == b"".join(
        (
            edge + b'\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n',
            edge + b'\r\nContent-Disposition: form-data; name="file"; ',
            f'filename="gradeq-{INTENT}.jsonl"\r\n'.encode(),
            b"Content-Type: application/jsonl\r\n\r\n",
            *lines,
            b"\r\n" + edge + b"--\r\n",
        )
    )
    assert order.line == "POST /v1/batches HTTP/1.1"
    assert order.headers["content-type"] == "application/json"
    assert order.json == {
        "input_file_id": "file-in",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "metadata": {"gradeq_intent": INTENT},
    }
    assert sum(map(provider.size, entries(2))) >= sum(map(len, lines))
    assert (provider.max_entries, 190_000_000 < provider.max_bytes < 200_000_000) == (50_000, True)


async def test_a_batch_is_posted_in_its_own_dialect(server, batches_at):
    """A large one too: its bytes are written piece by piece."""
    server.will(response(message_batch()))
    await batches_at(server.url).post(INTENT, entries(5000))
    [seen] = server.requests
    assert int(seen.headers["content-length"]) == len(seen.body) > 2_000_000
    assert len(seen.json["requests"]) == 5000


async def test_a_refused_order_is_no_batch(server, batches_at):
    server.will(
        response({"id": "file-in"}),
        response(
            {"error": {"message": "Billing hard limit", "code": "billing_hard_limit_reached"}}, 400
        ),
    )
    refused = await batches_at(server.url, "openai").post(INTENT, entries(1))
    assert (refused.error, refused.status) == (ErrorClass.QUOTA, 400)


async def test_a_200_that_is_no_batch_is_a_failure(server, batches_at):
    server.will(response(b"<html>login</html>"))
    provider = batches_at(server.url)
    came = [await provider.post(INTENT, entries(1)), await provider.progress("b1")]
    came.append(await provider.find(INTENT, since_ms=0, entries=1))
    assert all(isinstance(each, Failure) for each in came)


async def test_the_address_in_an_answer_is_not_trusted_with_the_key(server, batches_at):
    server.will(jsonl(succeeded("a")))
    await read(batches_at(server.url), "b/../1")
    assert server.requests[0].line == "GET /v1/messages/batches/b%2F..%2F1/results HTTP/1.1"


# Progress ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "body", "progress"),
    [
        ("anthropic", message_batch(), Progress("b1", False, 0, 0, 2)),
        (
            "anthropic",
            message_batch(processing_status="canceling"),
            Progress("b1", False, 0, 0, 2),
        ),
        (
            "anthropic",
            message_batch(
                processing_status="ended",
                request_counts=counts(succeeded=5, errored=1, canceled=2, expired=3),
            ),
            Progress("b1", True, 5, 6, 0),
        ),
        (
            "openai",
            batch(status="validating", request_counts={"total": 0, "completed": 0, "failed": 0}),
            Progress("b1", False, 0, 0, 0),
        ),
        (
            "openai",
            batch(status="in_progress", request_counts={"total": 9, "completed": 2, "failed": 1}),
            Progress("b1", False, 2, 1, 6),
        ),
        (
            "openai",
            batch(status="expired", request_counts={"total": 10, "completed": 1, "failed": 0}),
            Progress("b1", True, 1, 9, 0),
        ),
        ("openai", batch(status="failed", request_counts=None), Progress("b1", True, 0, 0, 0)),
        ("openai", batch(status="cancelled"), Progress("b1", True, 1, 2, 0)),
    ],
)
async def test_progress(server, batches_at, kind, body, progress):
    server.will(response(body))
    assert await batches_at(server.url, kind).progress("b1") == progress


# Outcomes ---------------------------------------------------------------------------------------


async def test_what_anthropic_answers(server, batches_at):
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    bare = {"type": "invalid_request_error", "message": "messages: too many"}
    server.will(
        jsonl(
            succeeded("a"),
            {"custom_id": "b", "result": {"type": "errored", "error": overloaded}},
            {"custom_id": "c", "result": {"type": "errored", "error": bare}},
            {"custom_id": "d", "result": {"type": "expired"}},
            {"custom_id": "e", "result": {"type": "canceled"}},
            {"custom_id": "f", "result": {"type": "something new"}},
            {"custom_id": "g", "result": {"type": "succeeded", "message": None}},
        )
    )
    found = await read(batches_at(server.url))
    assert found["a"] == Answer(
        text='{"level":"good"}',
        raw=msgspec.json.encode(MESSAGE).decode(),
        model="claude-x-1",
        usage=Usage(107, 20, cache_read_tokens=7),
    )
    errors = {name: (came.error, came.status) for name, came in found.items() if name != "a"}
    assert errors == {
        "b": (ErrorClass.OVERLOADED, 529),
        "c": (ErrorClass.BAD_REQUEST, 400),
        "d": (ErrorClass.SNOOZED, None),
        "e": (ErrorClass.SNOOZED, None),
        "f": (ErrorClass.SERVER_ERROR, 500),
        "g": (ErrorClass.SERVER_ERROR, 200),
    }


async def test_what_openai_answers(server, batches_at):
    def unasked(custom_id: str, code: str) -> dict[str, Any]:
        error = {"code": code, "message": "It was not executed."}
        return {"id": "r", "custom_id": custom_id, "response": None, "error": error}

    too_long = {"message": "too long", "code": "context_length_exceeded", "type": "x"}
    server.will(
        response(batch()),
        jsonl(completed("a")),
        jsonl(
            completed("b", 400, {"error": too_long}),
            completed("c", 500, {"error": {"message": "Sorry!"}}),
            unasked("d", "batch_expired"),
            unasked("e", "batch_cancelled"),
            unasked("f", "request_timeout"),
            unasked("g", "something_new"),
            {"custom_id": "h"},
        ),
    )
    found = await read(batches_at(server.url, "openai"))
    assert [each.line.split()[1] for each in server.requests] == [
        "/v1/batches/b1",
        "/v1/files/file-out/content",
        "/v1/files/file-err/content",
    ]
    answer = found.pop("a")
    assert (answer.text, answer.usage, answer.request_id) == ("{}", Usage(100, 20), "req_9")
    assert {name: (came.error, came.status) for name, came in found.items()} == {
        "b": (ErrorClass.TOO_LARGE, 400),
        "c": (ErrorClass.SERVER_ERROR, 500),
        "d": (ErrorClass.SNOOZED, None),
        "e": (ErrorClass.SNOOZED, None),
        "f": (ErrorClass.TIMEOUT, 408),
        "g": (ErrorClass.SERVER_ERROR, 500),
        "h": (ErrorClass.SERVER_ERROR, 500),
    }


@pytest.mark.parametrize("kind", ["anthropic", "openai"])
async def test_a_damaged_line_harms_nobody_else(server, batches_at, kind):
    line = succeeded if kind == "anthropic" else completed
    half = msgspec.json.encode(line("hurt"))[:90]
    lines = jsonl(line("a"), half, b"\xff\xfe not json", b"", line("b"), b"[" * 5000, line("c"))
    server.will(*([response(batch(error_file_id=""))] if kind == "openai" else []), lines)
    found = await read(batches_at(server.url, kind))
    hurt = found.pop("hurt")
    assert (set(found), hurt.error) == ({"a", "b", "c"}, ErrorClass.SERVER_ERROR)
    assert all(isinstance(came, Answer) for came in found.values())


async def test_openai_has_answers_and_no_file_of_them_yet(server, batches_at):
    server.will(response(batch(output_file_id=None, error_file_id="file-err")))
    [failure] = [each async for each in batches_at(server.url, "openai").outcomes("b1")]
    assert failure.error is ErrorClass.SERVER_ERROR
    assert len(server.requests) == 1


async def test_a_batch_with_errors_only_has_one_file(server, batches_at):
    nothing = {"total": 1, "completed": 0, "failed": 1}
    only_errors = batch(output_file_id=None, request_counts=nothing)
    server.will(response(only_errors), jsonl(completed("b", 500, {"error": {"message": "x"}})))
    assert set(await read(batches_at(server.url, "openai"))) == {"b"}


# Batches that OpenAI refuses as a whole ---------------------------------------------------------


async def refused_for(server, batches_at, *problems: dict[str, Any]) -> dict[str, Any]:
    errors = {"object": "list", "data": list(problems)}
    failed = batch(status="failed", output_file_id=None, error_file_id=None, errors=errors)
    failed |= {"request_counts": {"total": 0, "completed": 0, "failed": 0}}
    server.will(response(failed), jsonl({"custom_id": "a"}, {"custom_id": "b"}, b"{"))
    return await read(batches_at(server.url, "openai"))


async def test_a_full_queue_is_waited_for(server, batches_at):
    said = "Enqueued token limit reached for gpt-x. Limit: 2,000,000 enqueued tokens."
    problem = {"code": "token_limit_exceeded", "message": said, "line": None}
    found = await refused_for(server, batches_at, problem)
    assert server.requests[1].line == "GET /v1/files/file-in/content HTTP/1.1"
    assert set(found) == {"a", "b"}
    for came in found.values():
        assert (came.error, came.signals.retry_after) == (ErrorClass.SNOOZED, 900)
        assert said in came.reason


async def test_a_bad_line_takes_only_its_own_paper_along(server, batches_at):
    problem = {"code": "invalid_json_line", "message": "Not parseable.", "line": 2}
    found = await refused_for(server, batches_at, problem)
    assert (found["a"].error, found["b"].error) == (ErrorClass.SNOOZED, ErrorClass.BAD_REQUEST)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("model_not_found", ErrorClass.UNKNOWN_MODEL),
        ("billing_hard_limit_reached", ErrorClass.QUOTA),
        ("model_mismatch", ErrorClass.SERVER_ERROR),
    ],
)
async def test_any_other_reason_is_that_of_every_paper(server, batches_at, code, error):
    found = await refused_for(server, batches_at, {"code": code, "message": "No."})
    assert {came.error for came in found.values()} == {error}


async def test_a_refusal_without_its_input_names_nobody(server, batches_at):
    no_files = {"input_file_id": None, "output_file_id": None, "error_file_id": None}
    failed = batch(status="failed", request_counts=None, **no_files)
    server.will(response(failed))
    assert await read(batches_at(server.url, "openai")) == {}


# What a model does not take ---------------------------------------------------------------------


async def test_what_entries_are_refused_for_is_left_out_of_the_next_batch(server, batches_at):
    said = {"type": "invalid_request_error", "message": "temperature: Extra inputs"}
    errored = {"type": "errored", "error": {"type": "error", "error": said}}
    results = jsonl(*({"custom_id": name, "result": errored} for name in "abc"))
    server.will(response(message_batch()), results, response(message_batch()), results)
    provider = batches_at(server.url)
    batch_id = await provider.post(INTENT, entries(1))
    found = await read(provider, batch_id)
    assert {(came.error, came.signals.retry_after) for came in found.values()} == {
        (ErrorClass.SNOOZED, 0.0)
    }
    again = await provider.post(INTENT, entries(1))
    first, _, second = server.requests
    assert first.json["requests"][0]["params"]["temperature"] == 0
    assert "temperature" not in second.json["requests"][0]["params"]
    # What was left out and is complained of all the same is not asked for ever.
    assert {came.error for came in (await read(provider, again)).values()} == {
        ErrorClass.BAD_REQUEST
    }


async def test_a_batch_refused_for_its_form_is_posted_in_another(server, batches_at):
    said = {"message": "Unsupported value: 'temperature' does not support 0", "type": "x"}
    server.will(response({"id": "file-in"}), response({"error": said}, 400))
    provider = batches_at(server.url, "openai")
    refused = await provider.post(INTENT, entries(1))
    assert (refused.error, refused.signals.retry_after) == (ErrorClass.SNOOZED, 0.0)
    await provider.post(INTENT, entries(1))
    assert b"temperature" in server.requests[0].body
    assert b"temperature" not in server.requests[-2].body + server.requests[-1].body


# Finding ----------------------------------------------------------------------------------------


async def test_a_list_that_never_ends_is_left(server, batches_at):
    """A server that does not know the cursor gives the same page again and again."""
    page = {"data": [batch()], "has_more": True}
    server.will(response(page))
    provider = batches_at(server.url, "openai")
    assert await provider.find(INTENT, since_ms=0, entries=3) == ["batch_abc123"]
    first, second = (each.line.split()[1] for each in server.requests)
    assert (first, second) == ("/v1/batches?limit=100", "/v1/batches?limit=100&after=batch_abc123")


async def test_a_second_page_that_fails_fails_the_search(server, batches_at):
    page = {"data": [message_batch()], "has_more": True, "last_id": "x"}
    server.will(response(page), response(b"", 503))
    failure = await batches_at(server.url).find(INTENT, since_ms=0, entries=2)
    assert failure.error is ErrorClass.OVERLOADED


async def test_only_the_right_number_of_entries_is_a_candidate(server, batches_at):
    done = counts(succeeded=1, expired=1)
    others = [
        message_batch(id="ended", processing_status="ended", request_counts=done),
        message_batch(id="other", request_counts=counts(processing=3)),
    ]
    server.will(response({"data": [message_batch(id="open"), *others], "has_more": False}))
    assert await batches_at(server.url).find(INTENT, since_ms=0, entries=2) == ["open", "ended"]


# Cancelling -------------------------------------------------------------------------------------


async def test_a_batch_that_has_ended_needs_no_cancelling(server, batches_at):
    gone = {"error": {"message": "Cannot cancel a batch with status 'completed'."}}
    server.will(response(gone, 409), response(batch()))
    assert await batches_at(server.url, "openai").cancel("b1") is None


async def test_a_refused_cancelling_of_an_open_batch_is_a_failure(server, batches_at):
    async def conflict(exchange: Exchange) -> None:
        is_cancel = exchange.request.line.startswith("POST /v1/batches/b1/cancel ")
        await exchange.send(response({"error": {"message": "busy"}}, 409 if is_cancel else 500))

    server.will(conflict)
    refused = await batches_at(server.url, "openai").cancel("b1")
    assert (refused.error, refused.status) == (ErrorClass.SERVER_ERROR, 409)


# Who has one ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "has"),
    [
        ({"kind": "anthropic"}, True),
        ({"kind": "anthropic", "base_url": "https://gateway.example/v1"}, True),
        ({"kind": "anthropic", "batch_api": False}, False),
        ({"kind": "openai"}, True),
        ({"kind": "openai", "base_url": "https://api.openai.com"}, True),
        ({"kind": "openai", "base_url": "https://gateway.example/v1"}, False),
        ({"kind": "openai", "base_url": "https://gateway.example/v1", "batch_api": True}, True),
        ({"kind": "openai", "base_url": "http://127.0.0.1:8080"}, False),
        ({"kind": "openai", "batch_api": False}, False),
        ({"kind": "simulated", "base_url": "http://127.0.0.1:1"}, True),
    ],
)
async def test_who_has_a_batch_api(clock, settings, has):
    chosen = ProviderSettings(name="school", model="some-model", **settings)
    environ = {"ANTHROPIC_API_KEY": KEY, "OPENAI_API_KEY": KEY}
    provider = build_batch_provider(chosen, clock, environ)
    assert (provider is not None) is has
    if provider is not None:
        await provider.aclose()


async def test_without_a_key_there_is_none_either(clock):
    with pytest.raises(ConfigError, match="ANTHROPIC_API_KEY"):
        build_batch_provider(ProviderSettings("school", "anthropic", "m"), clock, {})
