"""Papers that try to run something: on no page of theirs anything runs, or leaves the machine."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from browsing import PAGE_IN_BROWSER, Browsed, playwright
from day_kit import FAST, MS, PLACE, Day, school_day

pytestmark = [*PAGE_IN_BROWSER, pytest.mark.timeout(600)]

ATTACKS = Path(__file__).parents[1] / "grading" / "attacks.jsonl"
PAYLOADS = (
    "<script>alert(1)</script>",
    "\"><img src='http://evil.invalid/x' onerror='alert(2)'>",
    "</textarea></title></style><svg onload=alert(3)><script src=//evil.invalid/x.js></script>",
    "<iframe srcdoc='<script>parent.alert(4)</script>'></iframe><base href=//evil.invalid/>",
    "<form action=//evil.invalid><button autofocus onfocus=alert(5)>Grade</button></form>",
    "<a href='javascript:alert(6)' hx-get='//evil.invalid' hx-trigger=load>x</a>",
    "<meta http-equiv=refresh content='0;url=//evil.invalid'><link rel=icon href=//evil.invalid>",
    "{{ visit.site }} {% raw %} ${alert(7)} <!-- <plaintext>",
)
RAISED = (
    "main img, iframe, base, main script, main meta, main link, main button[autofocus], svg[onload]"
)


def by_class() -> list[str]:
    """The attacks on graders, those of a class after each other in one paper."""
    texts: dict[str, list[str]] = {}
    for line in ATTACKS.read_text("utf-8").splitlines():
        one = json.loads(line)
        texts.setdefault(one["class"], []).append(one["text"])
    return ["\n\n".join(one) for one in texts.values()]


async def test_no_page_runs_what_students_write(
    tmp_path: Path, browser: playwright.Browser
) -> None:
    async with school_day(tmp_path, browser, **FAST) as day:
        attacks = by_class()
        assert len(attacks) >= 12
        rows = [{"id": f"a{n}", "text": one} for n, one in enumerate(attacks)]
        rows += [
            {"id": f"h{n} {one}", "student": f"{one} {n}", "text": f"In my opinion {one}"}
            for n, one in enumerate(PAYLOADS)
        ]
        ids = await day.stock(rows)
        await day.graded(ids)
        await hostile_feedback(day, ids[-len(PAYLOADS) :])
        teacher = await day.teacher(PAYLOADS[0])
        heard = listened(day, teacher)
        for path in (
            *(f"{PLACE}?tab={tab}" for tab in ("submitted", "graded", "released", "archived")),
            f"{PLACE}?tab=graded&find={PAYLOADS[0]}",
            f"{PLACE}/grade?tab=graded&all=1",
            f"{PLACE}/rubric",
            *("/", "/queue", "/batches", "/batches/1", "/people"),
        ):
            await shows_nothing_raised(day, teacher, path)
        for paper in ids:
            await shows_nothing_raised(day, teacher, f"/submissions/{paper}")
        for paper in ids[-len(PAYLOADS) :]:
            await shows_nothing_raised(day, teacher, f"/submissions/{paper}?edit=1")
            await teacher.page.emulate_media(media="print")
            await shows_nothing_raised(day, teacher, f"/submissions/{paper}")
            await teacher.page.emulate_media(media="screen")
        assert heard == []
        assert teacher.complaints == []


def listened(day: Day, browsed: Browsed) -> list[str]:
    """Dialogs, and requests to anywhere else."""
    heard: list[str] = []

    async def dismiss(dialog: playwright.Dialog) -> None:
        heard.append(f"a dialog: {dialog.message}")
        await dialog.dismiss()

    def note(request: playwright.Request) -> None:
        if not request.url.startswith(f"{day.daemon.url}/"):
            heard.append(f"a request: {request.url}")

    browsed.page.on("dialog", dismiss)
    browsed.page.context.on("request", note)
    return heard


async def shows_nothing_raised(day: Day, browsed: Browsed, path: str) -> None:
    await browsed.page.goto(f"{day.daemon.url}{path}", wait_until="load")
    await browsed.page.locator("main h1").first.wait_for(timeout=MS)
    assert await browsed.page.locator(RAISED).count() == 0, path


async def hostile_feedback(day: Day, ids: list[int]) -> None:
    """By a person, and released by one, both of hostile names."""
    async with httpx.AsyncClient(base_url=day.daemon.url, timeout=MS / 1000) as client:
        for paper, payload in zip(ids, PAYLOADS, strict=True):
            edit = {"by": f"Bobby {payload}", "feedback": payload}
            edited = await client.put(f"/api/submissions/{paper}/grade", json=edit)
            assert edited.status_code == 200, edited.text
        release = {"submission_ids": ids[:4], "by": f"Bobby {PAYLOADS[1]}"}
        assert (await client.post("/api/submissions/release", json=release)).is_success
        more = {
            "id": "x",
            "text": "x",
            "course": PAYLOADS[0],
            "assignment": PAYLOADS[2],
        }
        assert (await client.post("/api/submissions", json=[more])).is_success
