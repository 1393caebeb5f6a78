"""The simulated provider in a process of its own: `python -m bench.limiter.provider SETTINGS`.

SETTINGS is JSON. The first line on stdout is the address; the end of stdin ends it.
"""

from __future__ import annotations

import asyncio
import json
import sys

from gradeq.providers.simulated import Simulator, SimulatorSettings


async def main() -> None:
    settings = json.loads(sys.argv[1])
    async with Simulator(SimulatorSettings(**settings)) as simulator:
        print(json.dumps({"url": simulator.url}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
