"""What a source is told when its payload is not taken: RFC 9457 problems, without an echo.

No text of the request, no path, no exception and no stack ever enters an answer.
"""

import json
import math
import random
from http import HTTPStatus

from aiohttp import web

__all__ = ["RefusedError", "problem"]


class RefusedError(Exception):
    """A request that is answered with a problem."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        *,
        retry_after_s: float | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.close = close


def problem(refused: RefusedError) -> web.Response:
    """The answer; the connection closes where the rest of the request is not read."""
    headers: dict[str, str] = {}
    if refused.retry_after_s is not None:
        # Spread, so that all that were turned away do not return in the same second.
        jitter = random.SystemRandom().uniform(0, 1 + refused.retry_after_s / 2)
        headers["Retry-After"] = str(max(1, math.ceil(refused.retry_after_s + jitter)))
    if refused.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    body = json.dumps(
        {
            "type": f"urn:hub:problem:{refused.code}",
            "title": refused.status.phrase,
            "status": refused.status.value,
            "detail": refused.detail,
        }
    ).encode()
    response = web.Response(
        body=body,
        status=refused.status.value,
        headers=headers,
        content_type="application/problem+json",
    )
    if refused.close:
        response.force_close()
    return response
