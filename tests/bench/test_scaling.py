from dataclasses import replace

import pytest

from hub.bench.scaling import LOADS, Assumptions, Load, Measured, country, needs

MEASURED = Measured(
    process_per_s=50_000,
    normalise_per_s=3_000,
    broker_mb_per_s=50,
    raw_bytes=500,
    canonical_bytes=200,
    police_bytes=250,
    htmoc_bytes=150,
    window_bytes_per_id=120,
    recovered_ids_per_s=1_000_000,
)
TODAY = LOADS[0]


def test_a_small_load_needs_the_smallest_installation() -> None:
    found = needs(Load("quiet", 10, 20), MEASURED)
    assert (
        found.normalise_workers,
        found.process_workers,
        found.brokers,
        found.partitions,
    ) == (2, 2, 3, 6)


def test_workers_handle_twice_the_peak() -> None:
    found = needs(Load("busy", 3_000, 60_000), MEASURED)
    assert found.process_workers == 3  # 120,000 / 50,000
    assert found.normalise_workers == 40  # 120,000 / 3,000


def test_partitions_are_two_for_each_worker_in_steps_of_six() -> None:
    found = needs(Load("busy", 3_000, 60_000), MEASURED)
    assert found.partitions == 84  # 40 workers, 80 partitions


def test_disk_holds_every_topic_for_its_days_and_replicas() -> None:
    found = needs(Load("one", 1, 1), MEASURED)
    a_day = 500 * 7 + 200 * 7 + 250 * 30 + 150 * 7
    assert found.disk_tb == pytest.approx(86_400 * a_day * 3 / 1e12)


def test_brokers_are_as_many_as_disk_or_throughput_asks() -> None:
    small_disks = replace(Assumptions(), broker_disk_tb=0.1)
    assert needs(TODAY, MEASURED, small_disks).brokers == 35  # 2.44 TB on 0.07 TB each
    slow = replace(MEASURED, broker_mb_per_s=1)
    assert needs(TODAY, slow).brokers == 17  # 5,000/s of 1,100 bytes on 3 replicas


def test_memory_and_recovery_of_the_window_ask_for_workers_too() -> None:
    load = Load("many ids", 10_000, 10_000)  # 36 million ids in an hour
    assert needs(load, MEASURED).process_workers == 4  # 36 s in parts of 10 s
    large = replace(MEASURED, window_bytes_per_id=250)
    assert needs(load, large).process_workers == 6  # 9 GB in parts of 1.5 GB


def test_the_first_limit_is_what_the_smallest_installation_uses_most() -> None:
    found = needs(TODAY, MEASURED)
    assert found.first_limit == "CPU of normalise"
    assert found.use["CPU of normalise"] == pytest.approx(5_000 / 6_000)
    assert found.row()["first_limit"] == "CPU of normalise (83%)"


def test_a_country_is_as_many_times_hanoi_as_it_has_people() -> None:
    of = Load("a city", 87, 870)
    assert country(of).sustained == pytest.approx(1_000)
    assert country(of).peak == pytest.approx(10_000)
