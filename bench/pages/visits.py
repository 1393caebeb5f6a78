"""What people open, one address after the other, in the school of `school.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from bench.pages.school import School
from gradeq.web.pages.listing import ROWS

Address = Callable[[int], str]
"""The address that is asked for at the n-th visit, n from 0."""

LARGE = "/courses/Lecture/assignments/Exam"
MIDDLE = "/courses/Seminar/assignments/Essay"
EMPTY = "/new?course=Lecture&assignment=Exam"
BADGES = f"/api{LARGE}/badges"
EVENTS = "/api/events?course=Lecture&assignment=Exam"
_FOUND = ("Ada", "ben", "7 9", "ö", "s0001")


def addresses(school: School) -> Mapping[str, Address]:
    """By a name for people. The floor is what an answer costs that reads no database."""
    middle_papers = range(school.large + 1, school.large + school.middle + 1)
    graded = [n for n in range(1, school.large + 1) if n % 20 >= 8]
    submitted = [n for n in range(1, school.large + 1) if n % 20 in (1, 2)]
    last = -(-len(graded) // ROWS)
    return {
        "floor: /healthz": _always("/healthz"),
        "floor: an empty page": _always("/sign-in"),
        "badges, as JSON": _always(BADGES),
        "home": _always("/"),
        "30,000 papers: submitted": _tab(tab="submitted"),
        "30,000 papers: in progress": _tab(tab="in_progress"),
        "30,000 papers: graded": _tab(tab="graded"),
        "30,000 papers: graded, last page": _tab(tab="graded", page=last),
        "30,000 papers: graded, by student": _tab(tab="graded", sort="student"),
        "30,000 papers: graded, by student, last page": _tab(
            tab="graded", sort="student", page=last
        ),
        "30,000 papers: graded, by score": _tab(tab="graded", sort="score"),
        "30,000 papers: graded, by score, last page": _tab(tab="graded", sort="-score", page=last),
        "30,000 papers: graded, search": _search,
        "30,000 papers: graded, search, by student": lambda n: _search(n, sort="student"),
        "30,000 papers: released": _tab(tab="released"),
        "30,000 papers: archived": _tab(tab="archived"),
        "5,000 papers: graded, by score": _always(f"{MIDDLE}?tab=graded&sort=score"),
        "confirm 50 papers": lambda n: _confirm([("paper", i) for i in submitted[n : n + 50]]),
        "confirm all submitted of 30,000": _always(_confirm([("all", 1)])),
        "confirm all graded of 30,000": _always(_confirm([("all", 1), ("tab", "graded")])),
        "review, doubtful first": lambda n: f"/submissions/{graded[n * 97 % len(graded)]}",
        "review, by student": lambda n: (
            f"/submissions/{graded[n * 89 % len(graded)]}?tab=graded&order=student"
        ),
        "review, the form": lambda n: f"/submissions/{graded[n * 83 % len(graded)]}?edit=1",
        "review, has it changed?": lambda n: f"/submissions/{graded[n % len(graded)]}/news",
        "review, of 5,000": lambda n: f"/submissions/{middle_papers[n * 79 % len(middle_papers)]}",
        "batches": _always("/batches"),
        "batches, older": lambda n: f"/batches?before={40 + n % 60}",
        "a batch of 25,500 papers": _always("/batches/1"),
        "a batch of 25,500, its last page": _always(f"/batches/1?after={school.large - 40}"),
        "a batch of 25,500, failed": _always("/batches/1?state=failed"),
        "a batch, refreshed": _always("/batches/1?part=now"),
        "queue": _always("/queue"),
        "rubric editor": _always(f"{LARGE}/rubric"),
        "rubric as text": _always(f"{LARGE}/rubric/toml"),
        "rubric, older version": _always(f"{LARGE}/rubric/versions/1"),
        "add papers": _always(f"{LARGE}/add"),
        "people": _always("/people"),
    }


def _always(path: str) -> Address:
    return lambda _: path


def _tab(**asked: object) -> Address:
    return _always(f"{LARGE}?{urlencode(asked)}")


def _search(n: int, **asked: object) -> str:
    return f"{LARGE}?{urlencode({'tab': 'graded', 'find': _FOUND[n % len(_FOUND)], **asked})}"


def _confirm(chosen: list[tuple[str, object]]) -> str:
    return f"{LARGE}/grade?{urlencode(chosen)}"
