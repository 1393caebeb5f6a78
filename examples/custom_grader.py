"""A grader of your own: any coroutine from a job to a grade. No model, no key.

    python examples/custom_grader.py

Snooze asks to be called again later and costs no attempt; Reject ends the job with a reason; any
other exception counts as an attempt and is tried again after a pause.
"""

import asyncio

from gradeq import CriterionGrade, Engine, Grade, Job, NewSubmission, Reject, Snooze

engine = Engine("custom.db")
calls: dict[str, int] = {}


@engine.grader("capitals", max_attempts=3, timeout=5)
async def capitals(job: Job) -> Grade:
    paper = job.submission
    assert paper is not None
    calls[paper.external_id] = calls.get(paper.external_id, 0) + 1
    if not paper.text.strip():
        raise Reject("there is nothing to grade")
    if paper.external_id == "late" and calls["late"] == 1:
        raise Snooze(0.2)  # as if a plagiarism check were not ready yet
    right = "paris" in paper.text.lower()
    level = CriterionGrade("capital", "met" if right else "unmet", 1.0 if right else 0.0)
    return Grade(score=level.points or 0.0, max_score=1.0, criteria=(level,))


async def main() -> None:
    papers = {"right": "It is Paris.", "wrong": "It is Lyon.", "blank": " ", "late": "Paris!"}
    async with engine:
        submissions = [NewSubmission(name, text) for name, text in papers.items()]
        batch = await engine.submit(submissions, grader="capitals")
        async for result in engine.results(batch.id):
            score = result.grade.score if result.grade else None
            print(f"{result.id:>6}: {result.status}, score {score}, {result.reason or 'fine'}")
        print("badges:", await engine.badges("default", "default"))
        print("times 'late' was called:", calls.get("late", 0))


if __name__ == "__main__":
    asyncio.run(main())
