"""The sender against a hub that is slow, away, full or silent: nothing is dropped or reordered."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest

from hub.simulator import Plan, Rates, Truth, credentials, drive

SEED = 7
START = datetime(2026, 11, 22, 11, 59, 50, tzinfo=UTC)
RATES = Rates(plate_reads_per_s=20, heartbeats_per_s=5)
PLAN = Plan(seed=SEED, seconds=3, start=START, rates=RATES)
PLANNED = list(PLAN)
Answer = Callable[[httpx.Request, int], httpx.Response]


class Hub(httpx.AsyncBaseTransport):
    """Answers requests; `answer` sees the request and how often its body has come."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.bodies: Counter[bytes] = Counter()
        self.taken: list[tuple[str, bytes]] = []
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        await asyncio.sleep(0)
        self.requests.append(request)
        self.bodies[body] += 1
        response = self.answer(request, self.bodies[body])
        if response.status_code == httpx.codes.OK:
            self.taken.append((request.url.path.split("/")[3], body))
        return response


def run(hub: Hub, *, speed: float = 1_000) -> Truth:
    return asyncio.run(
        drive(PLAN, "http://hub.test", credentials(SEED), speed=speed, transport=hub)
    )


def whole_truth() -> Truth:
    truth = Truth()
    for shot in PLANNED:
        truth.accept(shot)
    return truth


def yes(_request: httpx.Request, _count: int) -> httpx.Response:
    return httpx.Response(200, json={"payload_id": "p"})


def test_everything_is_sent_once_with_the_sources_own_secret() -> None:
    hub = Hub(yes)
    assert run(hub).to_json() == whole_truth().to_json()
    assert Counter(hub.taken) == Counter((shot.source_id, shot.body) for shot in PLANNED)
    for request in hub.requests:
        parts = request.url.path.split("/")
        credential = credentials(SEED)[parts[3]]
        assert (len(parts) == 5 and parts[4] == credential.secret) == credential.by_path
        bearer = request.headers.get("Authorization", "")
        assert (bearer == f"Bearer {credential.secret}") == (not credential.by_path)


def test_payloads_of_one_device_arrive_in_their_order() -> None:
    hub = Hub(yes)
    run(hub)
    lanes = {(shot.source_id, shot.body): shot.lane for shot in PLANNED}
    planned, arrived = defaultdict(list), defaultdict(list)
    for shot in PLANNED:
        planned[shot.source_id, shot.lane].append(shot.body)
    for source_id, body in hub.taken:
        arrived[source_id, lanes[source_id, body]].append(body)
    assert arrived == planned


@pytest.mark.parametrize("status", [429, 503])
def test_a_full_hub_is_asked_again_with_the_same_bytes(status: int) -> None:
    def full_once(_request: httpx.Request, count: int) -> httpx.Response:
        wait = {"Retry-After": "0"}
        return httpx.Response(status, headers=wait) if count == 1 else httpx.Response(200)

    assert run(Hub(full_once)).expected == whole_truth().expected


def test_a_lost_answer_leaves_open_whether_a_dead_letter_comes_twice() -> None:
    refused = {shot.body for shot in PLANNED if shot.refusal is not None}

    def silent_once(request: httpx.Request, count: int) -> httpx.Response:
        if request.content in refused and count == 1:
            raise httpx.ReadTimeout("no answer", request=request)
        return httpx.Response(200)

    truth = run(Hub(silent_once))
    assert refused
    assert truth.maybe_refused.total() == truth.refused.total() == len(refused)
    assert truth.expected == whole_truth().expected


def test_what_is_turned_away_is_noted_and_expects_nothing() -> None:
    def no(_request: httpx.Request, _count: int) -> httpx.Response:
        return httpx.Response(401)

    truth = run(Hub(no))
    assert truth.turned_away.total() == len(PLANNED)
    assert truth.expected == {}


def test_progress_tells_the_accepted_payloads_and_the_simulated_second() -> None:
    told: list[tuple[int, float]] = []
    asyncio.run(
        drive(
            PLAN, "http://hub.test", credentials(SEED), speed=1_000, transport=Hub(yes),
            progress=lambda sent, second: told.append((sent, second)),
        )
    )  # fmt: skip
    assert told[-1] == (len(PLANNED), 3.0)
    assert told == sorted(told)


def test_an_interrupted_run_keeps_the_truth_of_what_was_accepted() -> None:
    truth = Truth()

    async def interrupted() -> None:
        task = asyncio.create_task(
            drive(PLAN, "http://hub.test", credentials(SEED), transport=Hub(yes), truth=truth)
        )
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(interrupted())
    assert 0 < truth.accepted.total() < len(PLANNED)


def test_a_defect_in_the_sender_ends_the_run() -> None:
    with pytest.raises(KeyError):
        asyncio.run(drive(PLAN, "http://hub.test", {}, speed=1_000, transport=Hub(yes)))


def test_a_speed_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="speed"):
        run(Hub(yes), speed=0)
