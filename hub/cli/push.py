"""`hub push SOURCE FILE…`."""

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from hub.cli.common import Commands, command, config_of, json_option, name_of, read_input
from hub.errors import ConfigError, EnvironmentNotReadyError

if TYPE_CHECKING:
    import httpx

__all__ = ["add"]

_TIMEOUT_S = 30
_FIXES = {
    401: "give the source's key with --key or HUB_PUSH_KEY, or, where its entry has `path_sha256`, "
    "--secret from a network in `allow`; after a change of hub.toml: `hub reload`",
    403: "send from a network the source's entry allows",
    404: "check --url",
    413: "the source's limits.body_bytes allows less",
    429: "wait as long as it says, or raise the source's limits",
    503: "wait as long as it says; `hub doctor` says what is full or away",
}


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = command(
        commands,
        "push",
        _push,
        help_="send payloads through the real ingest",
        example="HUB_PUSH_KEY=… hub push kim-ma event.xml",
    )
    parser.add_argument("source", metavar="SOURCE", help="source, as hub.toml names it")
    parser.add_argument("files", nargs="+", metavar="FILE", help="payload; - for standard input")
    parser.add_argument("--url", help="ingest (default: the configured host and port)")
    secret = parser.add_mutually_exclusive_group()
    secret.add_argument("--key", help="bearer key (default: HUB_PUSH_KEY)")
    secret.add_argument("--secret", help="secret path segment, for sources that have one")
    parser.add_argument("--content-type", metavar="CT", help="default: guessed from the file")
    json_option(parser)


def _push(arguments: argparse.Namespace) -> int:
    import httpx

    from hub.render import json_line
    from hub.testing import content_type_of

    name_of(arguments.source, option="SOURCE")
    config = config_of(arguments)
    base = (arguments.url or f"http://{config.ingest.host}:{config.ingest.port}").rstrip("/")
    address = f"{base}/v1/ingest/{arguments.source}"
    if arguments.secret:
        address = f"{address}/{arguments.secret}"
    key = arguments.key or os.environ.get("HUB_PUSH_KEY", "")
    headers = {"Authorization": f"Bearer {key}"} if key and not arguments.secret else {}
    # Read all first: a missing file is wrong use, not half an answer.
    bodies = [(name, read_input(name)) for name in arguments.files]
    refused = 0
    with httpx.Client(timeout=_TIMEOUT_S, trust_env=False) as client:
        for name, body in bodies:
            type_ = arguments.content_type or content_type_of(name, body)
            try:
                answer = client.post(
                    address, content=body, headers={**headers, "Content-Type": type_}
                )
            except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                raise ConfigError(
                    "not an address", where="--url", fix="http://host:port"
                ) from error
            except httpx.HTTPError as error:
                # The address may hold a secret: only its base is shown.
                raise EnvironmentNotReadyError(
                    f"ingest does not answer: {type(error).__name__}",
                    where=base,
                    fix="start it (`hub run ingest` or `hub up`), or correct --url",
                ) from error
            said = _object(answer)
            if answer.is_success:
                line = {"file": name, "payload_id": said.get("payload_id", "")}
                print(json_line(line) if arguments.json else f"{line['payload_id']}  {name}")
                continue
            refused += 1
            _explain(name, answer, said)
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                return 2
    return 1 if refused else 0


def _object(answer: "httpx.Response") -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _explain(name: str, answer: "httpx.Response", said: dict[str, Any]) -> None:
    text = str(said.get("detail") or said.get("title") or answer.reason_phrase).rstrip(".")
    wait = answer.headers.get("Retry-After")
    after = f" (again after {wait} s)" if wait else ""
    fix = _FIXES.get(answer.status_code, "see `hub doctor`")
    print(f"hub: {name}: {answer.status_code} {text}{after}. To mend it: {fix}", file=sys.stderr)
