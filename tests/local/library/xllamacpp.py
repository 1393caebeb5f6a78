"""Stands where the package xllamacpp would: a real HTTP server in a real process, without a model.

What it does is said by the file of the model, after the header: `refuse`, `die on WORD` (a paper
with the word), `wait` (loading takes as long as the file beside it, `*.wait`, is there), `hold`
(an answer takes as long as `*.hold` is there). As with the library, who lets go of it waits for
the calls that are on their way.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any


def CommonParams() -> Any:  # noqa: N802 - the library's own name
    return SimpleNamespace(
        model=SimpleNamespace(path=""),
        cpuparams=SimpleNamespace(n_threads=-1),
        cpuparams_batch=SimpleNamespace(n_threads=-1),
    )


class Server:
    def __init__(self, params: Any) -> None:
        path = Path(params.model.path)
        self.orders = path.read_bytes().rpartition(b"\n")[2].decode().split(",")
        if "refuse" in self.orders:
            sys.stderr.write("0.01 E llama_model_load: error loading model: unknown architecture\n")
            sys.stderr.flush()
            raise RuntimeError("Failed to init server, please check the input params.")
        path.with_suffix(".loading").touch()
        while path.with_suffix(".wait").exists():
            time.sleep(0.02)
        handler = type("Handler", (_Handler,), {"params": params, "orders": self.orders})
        self._hold = path.with_suffix(".hold")
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.listening_address = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def __del__(self) -> None:
        while self._hold.exists():
            time.sleep(0.02)


class _Handler(BaseHTTPRequestHandler):
    params: Any
    orders: list[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        if self.headers["authorization"] != f"Bearer {self.params.api_keys[0]}":
            self._answer(401, {"error": {"code": 401, "type": "authentication_error"}})
            return
        for order in self.orders:
            if order.startswith("die on ") and order.removeprefix("die on ") in body:
                os.kill(os.getpid(), signal.SIGKILL)
        asked = json.loads(body)
        with Path(self.params.model.path).with_suffix(".asked").open("a") as file:
            file.write(asked["messages"][1]["content"].replace("\n", " ") + "\n")
        while Path(self.params.model.path).with_suffix(".hold").exists():
            time.sleep(0.02)
        schema = asked["response_format"]["json_schema"]["schema"]
        said = {"role": "assistant", "content": json.dumps(_fitting(schema))}
        choice = {"index": 0, "finish_reason": "stop", "message": said}
        usage = {"prompt_tokens": 100, "completion_tokens": 20}
        self._answer(200, {"model": asked["model"], "choices": [choice], "usage": usage})

    def _answer(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


def _fitting(schema: Any) -> Any:
    """The smallest value that fits, as a grammar would enforce it."""
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "object":
        return {name: _fitting(schema["properties"][name]) for name in schema["required"]}
    return {"array": [], "string": "Because.", "integer": 1, "number": 1}[schema["type"]]
