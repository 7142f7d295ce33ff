"""What members of a JSON object come first says nothing: it changes no event's id."""

import json
from pathlib import Path

import pytest

from hub.discovery import connector, connector_names
from hub.envelope import Canonical
from hub.testing import dry_run
from hub.testing.samples import decoded, samples_in

SAMPLES = Path(__file__).parents[1] / "samples"


def documents(name):
    for sample in samples_in(SAMPLES / name):
        try:
            yield sample, json.loads(sample.body)
        except ValueError:  # another format, or broken on purpose
            continue


def turned(value):
    """The value with the members of every object in the opposite order."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    return [turned(each) for each in value] if isinstance(value, list) else value


def ids(name, sample, body=None):
    """How many events, and the ids of those that more than their payload tells apart."""
    results = dry_run(connector(name), sample, sample.payload(body))
    headers = [decoded(each)["header"] for each in results if isinstance(each, Canonical)]
    named = [each for each in headers if each["native_id"] or each["time_quality"] != "RECEIVED"]
    return len(headers), sorted(each["event_id"] for each in named)


@pytest.mark.parametrize("name", [name for name in connector_names() if any(documents(name))])
def test_the_order_of_members_changes_no_id(name):
    for sample, document in documents(name):
        body = json.dumps(turned(document)).encode()
        assert ids(name, sample) == ids(name, sample, body), sample.name
