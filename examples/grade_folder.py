"""Grade a folder of essays with the library.

    python examples/grade_folder.py FOLDER_OR_FILE RUBRIC [PROVIDER MODEL]

Without a provider the simulated one answers, over real HTTP; its grades are made up.
With one (anthropic, openai or gemini), the key comes from ANTHROPIC_API_KEY, OPENAI_API_KEY or
GEMINI_API_KEY.
"""

import asyncio
import sys
from pathlib import Path

from gradeq import Engine, ProviderSettings
from gradeq.grading.documents import read_papers


async def main(papers: Path, rubric: Path, kind: str = "simulated", model: str = "sim") -> None:
    if kind == "simulated":
        print("These grades are simulated: no model reads the papers.")
    provider = ProviderSettings(name="mine", kind=kind, model=model)
    found = read_papers(papers, assignment=papers.stem)
    for problem in found.problems:
        print("left out:", problem)
    async with Engine("folder.db", providers=[provider]) as engine:
        rubric_id = await engine.rubrics.put_file(rubric)
        # With the same key, running this again goes on where the last run stopped.
        key = f"{papers.name} by {rubric.name}"
        batch = await engine.submit(found.valid, rubric_id=rubric_id, idempotency_key=key)
        async for result in engine.results(batch.id):
            if result.grade is None:
                print(f"{result.id:>8}  ungraded: {result.reason}")
            else:
                flags = ", ".join(result.grade.flags)
                print(f"{result.id:>8}  {result.grade.score:g}/{result.grade.max_score:g}  {flags}")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 5):
        sys.exit(__doc__)
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))
