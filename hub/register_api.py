"""The device register from the city's asset system: JSON over HTTP, page by page.

A page is a list of entries or `{"devices": [...]}`; the next one is where the header `Link` with
`rel="next"` or the field `next` says. The token goes to the host that was named, encrypted, and
nowhere else: no other host is followed, and neither proxies nor credentials are taken from the
environment. A register cut short would end devices that are there, so it is all pages or none.
"""

import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from hub.errors import ConfigError, EnvironmentNotReadyError, HubError, PayloadError
from hub.register import check, entries, record_key

__all__ = ["Api", "is_url"]

_BYTES_MAX = 256 * 2**20
_PAGES_MAX = 10_000
_REDIRECTS_MAX = 5
_TOTAL_S = 600.0
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def is_url(text: str) -> bool:
    """Whether a register is named by where an API answers, not by its file."""
    return text.startswith(("http://", "https://"))


@dataclass(slots=True)
class Api:
    """One asset system; `token` is sent as `Authorization: Bearer`, `ca` holds its certificates."""

    url: str
    token: str = ""
    ca: Path | None = None
    timeout_s: float = 30.0
    """For each answer of the server; all pages together may take ten minutes."""
    bytes_max: int = _BYTES_MAX
    clock: Callable[[], float] = time.monotonic

    def read(self) -> list[dict[str, Any]]:
        """The checked entries of all pages; the errors say what to mend."""
        first = self._first()
        found: dict[bytes, dict[str, Any]] = {}
        read_bytes, deadline = 0, self.clock() + _TOTAL_S
        page: httpx.URL | None = first
        seen: set[str] = set()
        with self._client() as client:
            while page is not None:
                where = _shown(page)
                if str(page) in seen or len(seen) >= _PAGES_MAX:
                    raise _wrong("the pages go round in a circle, or never end", where)
                seen.add(str(page))
                answer, body = self._page(client, page, self.bytes_max - read_bytes, deadline)
                read_bytes += len(body)
                document = _json(body, where)
                for entry in entries(document, where, first=len(found) + 1):
                    if found.setdefault(record_key(entry), entry) != entry:
                        raise _wrong(f"{entry['device_id']} is on two pages, differently", where)
                page = _next(answer, document, first)
        if not found:
            raise _wrong("it answered no device at all", _shown(first))
        check(found.values(), _shown(first))
        return list(found.values())

    def _first(self) -> httpx.URL:
        try:
            url = httpx.URL(self.url)
        except httpx.InvalidURL as error:
            raise ConfigError(f"no URL: {error}", where="register", fix="correct it") from error
        if url.userinfo or not url.host:
            fix = "put the token into a file and give --token-file"
            raise ConfigError("credentials in a URL, or no host", where=url.host, fix=fix)
        if self.token and url.scheme != "https" and url.host not in _LOOPBACK:
            fix = "give its https:// URL"
            raise ConfigError("a token is never sent unencrypted", where=_shown(url), fix=fix)
        return url

    def _client(self) -> httpx.Client:
        headers = {"Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            verify = ssl.create_default_context(cafile=str(self.ca) if self.ca else None)
            return httpx.Client(
                headers=headers, timeout=self.timeout_s, trust_env=False, verify=verify
            )
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"no certificates: {error}", where=str(self.ca), fix="check --ca"
            ) from error
        except (ValueError, UnicodeEncodeError) as error:
            raise ConfigError(
                "the token has letters that no header can hold", where="token", fix="check the file"
            ) from error

    def _page(
        self, client: httpx.Client, url: httpx.URL, room: int, deadline: float
    ) -> tuple[httpx.Response, bytes]:
        """An answer and its body, also from where the same host sends us."""
        where = _shown(url)
        try:
            for _ in range(_REDIRECTS_MAX):
                with client.stream("GET", url) as answer:
                    if answer.next_request is not None:
                        url = _same_host(answer.next_request.url, url)
                        continue
                    if not answer.is_success:
                        raise _refusal(answer.status_code, where)
                    return answer, self._body(answer, room, deadline, where)
        except httpx.HTTPError as error:
            raise EnvironmentNotReadyError(
                f"no answer: {type(error).__name__} {error}".rstrip(),
                where=where,
                fix="check the URL, the network and the system itself; --timeout S waits longer",
            ) from error
        raise _wrong(f"more than {_REDIRECTS_MAX} redirects", where)

    def _body(self, answer: httpx.Response, room: int, deadline: float, where: str) -> bytes:
        body = bytearray()
        for part in answer.iter_bytes():
            body += part
            if len(body) > room:
                raise _wrong(f"more than {self.bytes_max:,} bytes", where)
            if self.clock() > deadline:
                raise _wrong(f"it takes longer than {_TOTAL_S:.0f} s", where)
        return bytes(body)


def _next(answer: httpx.Response, document: Any, first: httpx.URL) -> httpx.URL | None:
    link = answer.links.get("next", {}).get("url")
    if not link and isinstance(document, Mapping):
        link = document.get("next")
    if not link:
        return None
    if not isinstance(link, str):
        raise _wrong("`next` is no text", _shown(answer.url))
    try:
        return _same_host(answer.url.join(link), first)
    except httpx.InvalidURL as error:
        raise _wrong(f"`next` is no URL: {error}", _shown(answer.url)) from error


def _same_host(url: httpx.URL, named: httpx.URL) -> httpx.URL:
    """Where we are sent, unless that is somewhere else: there the token has no business."""
    if (url.scheme, url.host, url.port) != (named.scheme, named.host, named.port):
        raise ConfigError(
            f"it sends us to another host, {url.scheme}://{url.host}",
            where=_shown(named),
            fix="if that is right, give its URL",
        )
    return url


def _json(body: bytes, where: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _wrong(f"it answered no JSON: {error}", where) from error


def _refusal(status: int, where: str) -> HubError:
    if status in (401, 403):
        fix = "give a valid token: --token-file FILE, or HUB_DEVICE_API_TOKEN"
        return ConfigError(f"it does not let us in ({status})", where=where, fix=fix)
    if status == 429 or status >= 500:
        fix = "try again later, or ask who runs it"
        return EnvironmentNotReadyError(f"it answered {status}", where=where, fix=fix)
    return ConfigError(f"it answered {status}", where=where, fix="check the URL")


def _shown(url: httpx.URL) -> str:
    """A URL without its query, which may hold what nobody should read."""
    return str(url.copy_with(query=None, fragment=None, username="", password=""))


def _wrong(what: str, where: str) -> PayloadError:
    fix = "ask who runs the asset system"
    return PayloadError(what, code="register", path=where, fix=fix)
