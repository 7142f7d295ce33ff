"""How long topics and stored objects of a site are kept, by their retention class. Pure."""

from collections.abc import Mapping

import schemas
from hub.config import Config

__all__ = ["kept_text", "object_days", "topic_settings"]

_DAY_MS = 86_400_000
_MESSAGE_BYTES = 1_048_588  # Kafka's own default, said so that a cluster's lower one can't bite


def topic_settings(
    config: Config, retention: str, *, cleanup: str = "delete", segment_minutes: int | None = None
) -> dict[str, str]:
    """Kafka's settings of a topic of a retention class."""
    kafka = config.kafka
    settings = {
        "cleanup.policy": cleanup,
        "compression.type": "producer",
        "max.message.bytes": str(_MESSAGE_BYTES),
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": str(min(kafka.min_insync_replicas, kafka.replication_factor)),
        # Only a closed segment is deleted: a day's length keeps "7 days" below 8.
        "segment.ms": str(60_000 * segment_minutes if segment_minutes else _DAY_MS),
    }
    days = config.kept_days(retention)
    if days is not None and "delete" in cleanup:
        settings["retention.ms"] = str(days * _DAY_MS)
    return settings


def kept_text(retention: str, settings: Mapping[str, str]) -> str:
    """How long a topic keeps its records, for people."""
    kept_ms = int(settings.get("retention.ms", 0))
    kept = f"kept {kept_ms // _DAY_MS} days" if kept_ms else "kept without end"
    return f"{kept} ({retention})" if retention else kept


def object_days(config: Config) -> dict[str, int]:
    """Days that each kind of stored object is kept; what refers to it may come later and stay."""
    return {
        name: (config.kept_days(kind.retention) or 0) + kind.spare_days
        for name, kind in schemas.objects().items()
    }
