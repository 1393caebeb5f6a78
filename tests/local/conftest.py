"""The fixtures of local_kit."""

from local_kit import no_model

__all__ = ["no_model"]
