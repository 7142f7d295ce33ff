"""The schema registry, over its Confluent-compatible API.

A registry that does not answer is never a reason to refuse a record: its errors are
`UnavailableError` (try again), only a plain "not found" is an answer. What was learnt is kept on
disk, so that a stage starts while the registry is away.
"""

import hashlib
import json
import logging
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

import schemas
from hub.errors import IncompatibleSchemaError, UnavailableError

__all__ = ["Registry", "canonical_form"]

_log = logging.getLogger("hub.registry")
_HEADERS = {"Content-Type": "application/vnd.schemaregistry.v1+json"}


def canonical_form(schema: schemas.Schema) -> str:
    """One text per schema, so that the same schema is found again."""
    return json.dumps(schema, ensure_ascii=False, separators=(",", ":"))


def _memo(subject: str, schema: schemas.Schema) -> str:
    """What an id is remembered by."""
    return f"{subject}:{hashlib.sha256(canonical_form(schema).encode()).hexdigest()}"


def _object(answer: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer, a list as `items`; empty when it is neither."""
    try:
        found = answer.json()
    except ValueError:
        return {}
    if isinstance(found, list):
        return {"items": found}
    return found if isinstance(found, dict) else {}


class Registry:
    """Looks up and registers schemas; safe to share between threads."""

    def __init__(self, url: str, *, cache: Path | None = None, timeout_s: float = 10) -> None:
        self._client = httpx.Client(base_url=url.rstrip("/"), timeout=timeout_s, trust_env=False)
        self._url = url
        self._cache = cache
        self._ids: dict[str, int] = {}
        self._learning = threading.Lock()
        self._kept: dict[str, int] = {}
        self._schemas: dict[int, schemas.Schema] = {}
        if cache is not None and cache.exists():
            held = json.loads(cache.read_text("utf-8"))
            if held.get("url") == url:
                self._kept = dict(held["ids"])

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def ready(self) -> bool:
        """Whether the registry answers."""
        try:
            self._ask("GET", "/subjects")
        except UnavailableError:
            return False
        return True

    def subjects(self) -> frozenset[str]:
        """Every subject there is."""
        found = self._ask("GET", "/subjects") or {}
        return frozenset(found.get("items", ()))

    def id_of(self, subject: str, schema: schemas.Schema) -> int | None:
        """Id of a schema registered under a subject, or None; asked once, then remembered."""
        name = _memo(subject, schema)
        if name not in self._ids:
            asked = {"schema": canonical_form(schema)}
            try:
                answer = self._ask("POST", f"/subjects/{subject}", asked)
            except UnavailableError:
                # What an earlier run of this site learnt; ids never change.
                if name not in self._kept:
                    raise
                _log.warning("%s: the registry is away; using the id kept on disk", subject)
                return self._kept[name]
            if answer is None:
                return None
            self._remember(name, int(answer["id"]))
        return self._ids[name]

    def register(self, subject: str, schema: schemas.Schema) -> int:
        """Register a schema, or find it; `IncompatibleSchemaError` says why it can't be."""
        name = _memo(subject, schema)
        if name not in self._ids:
            asked = {"schema": canonical_form(schema)}
            answer = self._ask("POST", f"/subjects/{subject}/versions", asked)
            if answer is None:
                reasons = self.incompatibilities(subject, schema)
                why = "; ".join(reasons) or "the registry refuses it and gives no reason"
                raise IncompatibleSchemaError(
                    f"readers or writers of released versions would break: {why}",
                    where=subject,
                    fix="give new fields defaults and keep old ones, or make a new topic .v2",
                )
            self._remember(name, int(answer["id"]))
        return self._ids[name]

    def incompatibilities(self, subject: str, schema: schemas.Schema) -> list[str]:
        """Why a schema does not fit the subject's versions; empty when it does."""
        answer = self._ask(
            "POST",
            f"/compatibility/subjects/{subject}/versions?verbose=true",
            {"schema": canonical_form(schema)},
        )
        if answer is None or answer.get("is_compatible", True):
            return []
        messages = [str(message) for message in answer.get("messages") or []]
        return messages or ["the registry calls it incompatible and gives no reason"]

    def compatibility(self, subject: str) -> str | None:
        """The rule of a subject's own; None when it has none."""
        answer = self._ask("GET", f"/config/{subject}")
        return None if answer is None else str(answer.get("compatibilityLevel", ""))

    def set_compatibility(self, subject: str, level: str) -> None:
        """Set the rule new versions of a subject must keep."""
        self._ask("PUT", f"/config/{subject}", {"compatibility": level})

    def schema(self, id_: int) -> schemas.Schema | None:
        """The schema of an id, or None when the registry knows none."""
        if id_ not in self._schemas:
            answer = self._ask("GET", f"/schemas/ids/{id_}")
            if answer is None:
                return None
            self._schemas[id_] = json.loads(answer["schema"])
        return self._schemas[id_]

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | None:
        """The answer as an object; None for 404 and 409, `UnavailableError` for the rest."""
        try:
            answer = self._client.request(
                method, path, json=body, headers=_HEADERS if body is not None else None
            )
        except httpx.HTTPError as error:
            raise UnavailableError(
                f"the schema registry does not answer: {type(error).__name__}",
                where=self._url,
                fix="start it (`hub up`), or correct registry_url",
            ) from error
        if answer.status_code in (404, 409) and "error_code" in _object(answer):
            return None
        if answer.status_code == 422:
            raise IncompatibleSchemaError(f"the registry refused it: {answer.text}", where=path)
        found = _object(answer)
        if answer.is_error or not found:
            # Somebody else's page, be it a friendly one, is no answer of the registry.
            raise UnavailableError(
                f"the schema registry answered {answer.status_code} without what was asked for",
                where=self._url + path,
                fix="check registry_url, and what stands in front of the registry",
            )
        return found

    def _remember(self, name: str, id_: int) -> None:
        with self._learning:
            self._ids[name] = id_
            if self._cache is None:
                return
            self._cache.parent.mkdir(parents=True, exist_ok=True)
            held = {"url": self._url, "ids": {**self._kept, **self._ids}}
            # Every worker of the site writes this file; the last one whole wins.
            with tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", dir=self._cache.parent, delete=False
            ) as fresh:
                json.dump(held, fresh)
            Path(fresh.name).replace(self._cache)
