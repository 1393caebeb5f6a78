"""What a page is told to say once, on its address; nobody else can make it say anything."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping

TOLD, SEAL = "told", "seal"


class Notices:
    """Seals the texts of one application. Those of an earlier process are not shown again."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def query(self, text: str) -> dict[str, str]:
        """For the address of the page that is to show `text`."""
        return {TOLD: text, SEAL: self._seal(text)} if text else {}

    def shown(self, query: Mapping[str, str]) -> str:
        """The text on an address, empty where it is none of ours."""
        text = query.get(TOLD, "")
        is_ours = hmac.compare_digest(self._seal(text).encode(), query.get(SEAL, "").encode())
        return text if is_ours else ""

    def _seal(self, text: str) -> str:
        return hmac.digest(self._key, text.encode("utf-8", "replace"), "sha256").hex()[:20]
