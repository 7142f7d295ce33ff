import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from hub.stack import Stack, StackError, down

pytestmark = pytest.mark.kafka

SCHEMA = json.dumps({"type": "record", "name": "Reading", "fields": [{"name": "n", "type": "int"}]})
CHILD = """
import sys, time
from pathlib import Path
from hub.stack import Stack
with Stack(Path(sys.argv[1])) as stack:
    print(*[broker.pid for broker in stack.brokers], flush=True)
    time.sleep(600)
"""


def new_topic(bootstrap, *, replicas=1):
    name = f"test.{uuid.uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(name, 1, replicas)])[name].result(30)
    return name


def produce(bootstrap, topic, values):
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
    errors = []
    for value in values:
        producer.produce(topic, value, on_delivery=lambda error, _: error and errors.append(error))
    assert producer.flush(30) == 0
    assert errors == []


def consume(bootstrap, topic, count):
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": uuid.uuid4().hex,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([topic])
    values = []
    try:
        end = time.monotonic() + 60
        while len(values) < count and time.monotonic() < end:
            record = consumer.poll(1)
            if record is not None and record.error() is None:
                values.append(record.value())
    finally:
        consumer.close()
    return values


def call(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
    request = urllib.request.Request(url, data, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def java_of(folder):
    return [
        process
        for process in psutil.process_iter(["name", "cmdline"])
        if process.info["name"] == "java" and str(folder) in " ".join(process.info["cmdline"] or [])
    ]


def start_child(folder):
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline().strip(), "the child did not start its stack"
    return child


def wait_until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited 60 s in vain"
        time.sleep(0.05)


def test_records_go_in_and_come_out_and_schemas_are_registered(stack):
    topic = new_topic(stack.bootstrap)
    produce(stack.bootstrap, topic, [b"one", b"two"])
    assert consume(stack.bootstrap, topic, 2) == [b"one", b"two"]
    made = call(f"{stack.registry_url}/subjects/{topic}-value/versions", {"schema": SCHEMA})
    found = call(f"{stack.registry_url}/schemas/ids/{made['id']}")
    assert json.loads(found["schema"])["name"] == "Reading"


@pytest.mark.slow
def test_a_broker_killed_and_started_again_keeps_its_records(tmp_path):
    with Stack(tmp_path, registry=False) as own:
        topic = new_topic(own.bootstrap)
        produce(own.bootstrap, topic, [b"kept"])
        before = own.bootstrap
        own.brokers[0].kill()
        own.brokers[0].start()
        assert own.bootstrap == before
        assert consume(own.bootstrap, topic, 1) == [b"kept"]


def test_a_paused_broker_goes_on_where_it_stopped(tmp_path):
    with Stack(tmp_path, registry=False) as own:
        topic = new_topic(own.bootstrap)
        own.brokers[0].pause()
        paused = psutil.Process(own.brokers[0].pid)
        wait_until(lambda: paused.status() == psutil.STATUS_STOPPED)
        own.brokers[0].resume()
        produce(own.bootstrap, topic, [b"after"])
        assert consume(own.bootstrap, topic, 1) == [b"after"]


@pytest.mark.slow
def test_a_data_folder_keeps_topics_records_schema_ids_and_ports(tmp_path):
    with Stack(tmp_path) as own:
        first = own.bootstrap, own.registry_url
        topic = new_topic(own.bootstrap)
        produce(own.bootstrap, topic, [b"kept"])
        path = f"/subjects/{topic}-value/versions"
        made = call(own.registry_url + path, {"schema": SCHEMA})
        own.kill_registry()
        own.restart_registry()
        assert call(own.registry_url + path + "/latest")["id"] == made["id"]
    assert java_of(tmp_path) == []
    with Stack(tmp_path) as own:
        assert (own.bootstrap, own.registry_url) == first
        assert consume(own.bootstrap, topic, 1) == [b"kept"]
        assert call(own.registry_url + path + "/latest")["id"] == made["id"]


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
def test_a_killed_python_leaves_no_java_behind(tmp_path):
    child = start_child(tmp_path)
    assert java_of(tmp_path) != []
    child.kill()
    child.communicate()
    wait_until(lambda: java_of(tmp_path) == [])


def test_a_second_owner_is_refused_with_the_pid_of_the_first_and_down_stops_it(tmp_path):
    child = start_child(tmp_path)
    try:
        with pytest.raises(StackError, match=f"process {child.pid} is using this data folder"):
            Stack(tmp_path).start()
        assert down(tmp_path)
        child.communicate(timeout=60)
        wait_until(lambda: java_of(tmp_path) == [])
        assert not down(tmp_path)
    finally:
        child.kill()
        child.communicate()


def test_a_lock_and_pid_files_of_a_dead_run_are_recognised_as_stale(tmp_path):
    (tmp_path / "pids").mkdir()
    recycled = {"pid": os.getpid(), "created": 1.0}  # this pid, but not this process
    (tmp_path / "owner.pid").write_text(json.dumps(recycled))
    (tmp_path / "stack.lock").touch()
    (tmp_path / "pids" / "broker-1.pid").write_text("torn")
    leftover = subprocess.Popen(["sleep", "600"])
    named = {"pid": leftover.pid, "created": psutil.Process(leftover.pid).create_time()}
    (tmp_path / "pids" / "broker-2.pid").write_text(json.dumps(named))
    with Stack(tmp_path, registry=False) as own:
        assert own.brokers[0].pid is not None
        assert leftover.poll() is not None


def test_a_taken_port_is_named_in_the_error(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        # Its neighbours may be taken too.
        with pytest.raises(StackError, match=f"taken by another program: {port}") as caught:
            Stack(tmp_path, registry=False, port_base=port).start()
    assert "choose another port base" in caught.value.fix


def test_a_broker_that_dies_at_its_start_shows_its_last_log_lines(tmp_path):
    with Stack(tmp_path, registry=False):
        pass
    meta = tmp_path / "broker-1" / "meta.properties"
    meta.write_text(meta.read_text().replace("node.id=1", "node.id=7"))
    with pytest.raises(StackError, match="broker-1 ended at its start") as caught:
        Stack(tmp_path, registry=False).start()
    assert "node" in caught.value.what
    assert java_of(tmp_path) == []


def test_a_temporary_stack_leaves_no_folder_behind():
    with Stack(registry=False) as own:
        folder = own.data
        assert folder.is_dir()
    assert not folder.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_data_folder_is_named_in_the_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StackError, match="cannot be written"):
        Stack(tmp_path / "data").start()


def test_a_data_folder_that_is_a_file_is_named_in_the_error(tmp_path):
    (tmp_path / "data").touch()
    with pytest.raises(StackError, match="cannot be written"):
        Stack(Path(tmp_path / "data")).start()


@pytest.mark.slow
def test_three_brokers_replicate_and_survive_the_loss_of_one(tmp_path):
    with Stack(tmp_path, brokers=3) as own:
        topic = new_topic(own.bootstrap, replicas=3)
        own.brokers[0].kill()
        produce(own.bootstrap, topic, [b"two are enough"])
        own.brokers[0].start()
        assert consume(own.bootstrap, topic, 1) == [b"two are enough"]
    assert java_of(tmp_path) == []
