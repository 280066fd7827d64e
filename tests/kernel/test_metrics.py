"""Metrics of a gateway at work, as curl scrapes them."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ftpfw.helper.metrics import FAMILIES

from .gateway_host import (
    Gateway,
    active,
    gateway,
    session,
)
from .netns import inside, require_program, run

__all__ = ["gateway"]

ADDRESS = "127.0.0.1:9921"


def scrape(gateway: Gateway, *options: str, address: str = ADDRESS) -> str:
    url = f"http://{address}/metrics"
    return run(gateway.net.gateway, "curl", "-sS", "--fail", "--max-time", "10", *options, url)


def values(text: str) -> dict[str, float]:
    """``name{label=value}`` → value of every sample."""
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation, family.name
        assert family.type != "unknown", family.name
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


@pytest.fixture(autouse=True)
def curl() -> None:
    require_program("curl")


def test_what_crossed_the_gateway_is_what_is_scraped(gateway: Gateway) -> None:
    gateway.done("load", gateway.policy(metrics=ADDRESS))
    before = values(scrape(gateway))
    assert before["ftpfw_negotiations_total{kind=PORT,outcome=expected}"] == 0
    with session(gateway) as talk:
        active(talk)
        talk.say(b"PORT 10,77,1,99,200,1\r\n")
        talk.answer(b"500 Illegal PORT command.\r\n")
        talk.say(b"PORT 10,77,1,10,200,1\r\n")
        text = scrape(gateway)
        report = gateway.status()
    told = values(text)
    assert told["ftpfw_negotiations_total{kind=PORT,outcome=expected}"] == 2
    assert told["ftpfw_refusals_total{outcome=refused,reason=foreign address}"] == 1
    assert told["ftpfw_rewrites_total{direction=original}"] == 2
    assert told["ftpfw_flows"] == 1
    assert told["ftpfw_expectations"] == 1
    assert told["ftpfw_worker_up{queue=0}"] == 1
    assert told["ftpfw_start_time_seconds"] == pytest.approx(report["helper"]["since"])
    assert told["ftpfw_verdict_seconds_count"] == report["total"]["packets"]
    assert told["ftpfw_packets_total{verdict=changed}"] == report["total"]["rebuilt"]
    for family in FAMILIES:
        assert f"# HELP {family.name} {family.help}\n" in text
        assert f"# TYPE {family.name} {family.type.value}\n" in text


def test_several_workers_are_one_target(gateway: Gateway) -> None:
    if gateway.backend != "borrowed":
        pytest.skip(f"not in the nature of the backend {gateway.backend}")
    gateway.done("load", gateway.policy(metrics=ADDRESS, queue="3-4"))
    with session(gateway) as talk, session(gateway, "2001:db8:2::10") as other:
        active(talk)
        other.say(b"EPRT |2|fd77:1::10|5000|\r\n")
        told = values(scrape(gateway))
    assert told["ftpfw_flows"] == 2
    assert told["ftpfw_negotiations_total{kind=PORT,outcome=expected}"] == 1
    assert told["ftpfw_negotiations_total{kind=EPRT,outcome=expected}"] == 1
    assert [told[f"ftpfw_worker_up{{queue={queue}}}"] for queue in (3, 4)] == [1, 1]


def test_over_a_socket_file(gateway: Gateway) -> None:
    path = gateway.directory / "metrics.sock"
    gateway.done("load", gateway.policy(metrics=str(path)))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "ftpfw_flows 0.0" in scrape(gateway, "--unix-socket", str(path), address="localhost")
    gateway.kill_helper()
    assert path.exists(), "nobody could remove it"
    gateway.done("load", gateway.policy(metrics=str(path)))
    assert "ftpfw_flows 0.0" in scrape(gateway, "--unix-socket", str(path), address="localhost")
    gateway.done("unload")
    assert not path.exists()


def test_over_ipv6_and_in_openmetrics(gateway: Gateway) -> None:
    gateway.done("load", gateway.policy(metrics="[::1]:9921"))
    accept = "Accept: application/openmetrics-text; version=1.0.0"
    told = scrape(gateway, "-H", accept, address="[::1]:9921")
    assert told.endswith("# EOF\n")
    assert "# TYPE ftpfw_packets counter\n" in told


def test_scrapers_that_hang_cost_the_traffic_nothing(gateway: Gateway) -> None:
    gateway.done("load", gateway.policy(metrics=ADDRESS))
    hanging = inside(
        gateway.net.gateway,
        lambda: [socket.create_connection(("127.0.0.1", 9921)) for _ in range(20)],
    )
    for one in hanging:
        one.sendall(b"GET /metrics HTTP/1.1\r\n")
    with session(gateway) as talk:
        active(talk)
    assert values(scrape(gateway))["ftpfw_negotiations_total{kind=PORT,outcome=expected}"] == 1
    gateway.done("unload")
    for one in hanging:
        one.close()


def test_a_worker_that_is_stuck_is_told_and_ends_nothing(gateway: Gateway) -> None:
    if gateway.backend != "borrowed":
        pytest.skip(f"not in the nature of the backend {gateway.backend}")
    gateway.done("load", gateway.policy(metrics=ADDRESS, queue="3-4"))
    pid = gateway.status()["helper"]["workers"][0]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        told = values(scrape(gateway))
        status = gateway.ftpfw("status")
        assert (status.returncode, status.stderr) == (1, "")
        assert "queue 3 does not answer" in status.stdout
    finally:
        os.kill(pid, signal.SIGCONT)
    assert [told[f"ftpfw_worker_up{{queue={queue}}}"] for queue in (3, 4)] == [0, 1]
    told = values(scrape(gateway))
    assert [told[f"ftpfw_worker_up{{queue={queue}}}"] for queue in (3, 4)] == [1, 1]


def test_a_port_that_is_taken_is_told(gateway: Gateway) -> None:
    listener = inside(gateway.net.gateway, lambda: socket.create_server(("127.0.0.1", 9921)))
    with listener:
        refused = gateway.ftpfw("load", gateway.policy(metrics=ADDRESS))
    assert refused.returncode == 1
    assert f"metrics cannot be served at {ADDRESS}" in refused.stderr
    assert not json.loads(gateway.ftpfw("status", "--json").stdout)["loaded"]


def test_another_file_is_not_replaced(gateway: Gateway) -> None:
    path = Path(gateway.directory) / "notes.txt"
    path.write_text("mine")
    refused = gateway.ftpfw("load", gateway.policy(metrics=str(path)))
    assert refused.returncode == 1
    assert path.read_text() == "mine"
