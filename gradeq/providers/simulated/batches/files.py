"""OpenAI's files, as far as batches need them: uploads, and what batches write."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from gradeq.providers.simulated import openai_wire as wire
from gradeq.providers.simulated.batches.multipart import read_form
from gradeq.providers.simulated.call import Complaint, Refused
from gradeq.providers.simulated.http1 import Request

_MONTH_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class File:
    """A stored file of one key."""

    id: str
    key: str
    name: str
    purpose: str
    data: bytes
    created: int
    """Seconds since 1970 UTC."""

    @property
    def shape(self) -> dict[str, Any]:
        """The object `file`."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.data),
            "created_at": self.created,
            "expires_at": self.created + _MONTH_SECONDS,
            "filename": self.name,
            "purpose": self.purpose,
            "status": "processed",
            "status_details": None,
        }


class Files:
    """Every file of every key."""

    def __init__(self, born_ms: int) -> None:
        self._born = born_ms
        self._ids = itertools.count(1)
        self._files: dict[str, File] = {}

    def upload(self, key: str, request: Request, created: int) -> File:
        """Keep the file in a form with `purpose` and `file`. Raises Refused."""
        if request.too_large:
            raise Refused(Complaint(413, wire.INVALID, "The file is too large."))
        try:
            form = read_form(request.headers.get(b"content-type", ""), request.body)
            purpose, file = form["purpose"].data.decode(), form["file"]
        except (ValueError, KeyError) as error:
            raise Refused(wire.invalid(f"The form cannot be read: {error}")) from None
        if purpose != "batch":
            raise Refused(wire.invalid(f"'{purpose}' is not one of ['batch'] - 'purpose'"))
        if not file.filename.endswith(".jsonl"):
            raise Refused(wire.invalid("Invalid file format for Batch API. Must be .jsonl", "file"))
        return self.keep(key, file.filename, "batch", file.data, created)

    def keep(self, key: str, name: str, purpose: str, data: bytes, created: int) -> File:
        """Store `data` as a new file."""
        file_id = f"file-Sim{self._born:x}{next(self._ids):08d}"
        file = self._files[file_id] = File(file_id, key, name, purpose, data, created)
        return file

    def find(self, key: str, file_id: str) -> File:
        """Raises Refused (404) for a file that `key` does not have."""
        file = self._files.get(file_id)
        if file is None or file.key != key:
            raise Refused(
                Complaint(404, wire.INVALID, f"No such File object: {file_id}", None, "id")
            )
        return file
