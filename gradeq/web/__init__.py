"""The service: gradeq over HTTP, and a plain page that shows the badges live."""

from gradeq.web.app import create_app
from gradeq.web.server import serve

__all__ = ["create_app", "serve"]
