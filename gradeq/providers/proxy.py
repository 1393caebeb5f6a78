"""Which proxy leads to a provider, as the environment or the system says it."""

from __future__ import annotations

import urllib.request
from urllib.parse import urlsplit

from gradeq.errors import ConfigError
from gradeq.providers.address import on_this_machine


def proxy_for(base_url: str) -> str | None:
    """The proxy's URL by HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY; None for this machine.

    Raises ConfigError for a proxy that does not speak HTTP.
    """
    if on_this_machine(base_url):
        return None
    scheme, host = urlsplit(base_url).scheme, urlsplit(base_url).hostname or ""
    proxies = urllib.request.getproxies()
    address = proxies.get(scheme) or proxies.get("all")
    if not address or urllib.request.proxy_bypass(host):
        return None
    url = address if "://" in address else f"http://{address}"
    kind = urlsplit(url).scheme
    if kind not in ("http", "https"):
        raise ConfigError(
            f"The proxy set in the environment is a {kind} proxy, which gradeq cannot use. "
            f"Nothing was sent. Set {scheme.upper()}_PROXY to an http:// proxy, or NO_PROXY={host}."
        )
    return url
