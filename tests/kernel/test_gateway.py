"""A loaded gateway, between a client and a server that the test plays itself."""

from __future__ import annotations

import os
import random
import select
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from threading import Thread

import pytest
from netfilterqueue import NetfilterQueue

from .gateway_host import (
    CONTROL,
    Gateway,
    Session,
    active,
    announced,
    borrowed,
    gateway,
    port_line,
    session,
    transfer,
)
from .netns import inside, run
from .sockets import PATIENCE, connect, listen, receive_line

__all__ = ["borrowed", "gateway"]

SO_SNDBUFFORCE = 32


def test_unload_leaves_no_trace(gateway: Gateway) -> None:
    before = gateway.traces()
    gateway.done("load", gateway.policy())
    assert gateway.traces() != before
    with session(gateway) as talk:
        active(talk)
    gateway.done("unload")
    assert gateway.traces() == before


def test_many_transfers_in_one_session(gateway: Gateway) -> None:
    gateway.done("load", gateway.policy())
    with session(gateway) as talk:
        for _ in range(5):
            active(talk)
    assert gateway.notes()["expected"] == {"PORT": 5}


def test_several_queues_one_worker_each(borrowed: Gateway) -> None:
    borrowed.done("load", borrowed.policy(queue="3-4"))
    with session(borrowed) as talk:
        for _ in range(3):
            active(talk)
    workers = borrowed.status()["helper"]["workers"]
    assert [worker["queue"] for worker in workers] == [3, 4]
    assert sorted(worker["flows"] for worker in workers) == [0, 1], "a flow has one worker"
    borrowed.done("unload")
    assert borrowed.traces()["processes"] == ""


def test_ipv6_eprt_under_nat66(gateway: Gateway) -> None:
    gateway.done("load", gateway.policy())
    with session(gateway, "2001:db8:2::10") as talk, talk.client_listens() as listener:
        port = listener.getsockname()[1]
        seen = talk.say(b"EPRT |2|fd77:1::10|%d|\r\n" % port)
        assert seen == b"EPRT |2|2001:db8:2::1|%d|\r\n" % port
        transfer(talk, listener, ("2001:db8:2::1", port))


def test_expect_list_shows_what_is_open(gateway: Gateway) -> None:
    gateway.done("load", gateway.policy())
    with session(gateway) as talk:
        assert gateway.expectations() == []
        talk.say(b"PORT 10,77,1,10,200,1\r\n")
        (expectation,) = gateway.expectations()
    assert expectation["source"] == "192.0.2.10:any"
    assert expectation["destination"] == "192.0.2.1:51201"
    assert expectation["translated_to"] == "10.77.1.10:51201"
    assert "51201" in gateway.done("expect", "list")


def test_two_clients_may_announce_the_same_port(gateway: Gateway) -> None:
    """Behind one public address the second is told another port; both transfers work."""
    run(gateway.net.client, "ip", "address", "add", "10.77.1.11/24", "dev", "eth0")
    gateway.done("load", gateway.policy())
    with ExitStack() as stack:
        listener = inside(gateway.net.server, lambda: listen("", CONTROL))
        stack.enter_context(listener)
        endpoints = []
        for host in ("10.77.1.10", "10.77.1.11"):
            source = (host, 0)
            client = inside(
                gateway.net.client,
                lambda source=source: socket.create_connection(  # type: ignore[misc]
                    ("192.0.2.10", CONTROL), PATIENCE, source_address=source
                ),
            )
            stack.enter_context(client)
            accepted = stack.enter_context(listener.accept()[0])
            accepted.settimeout(PATIENCE)
            talk = Session(gateway, client, accepted)
            data = inside(
                gateway.net.client,
                lambda host=host: listen(host, 40000),  # type: ignore[misc]
            )
            stack.enter_context(data)
            endpoints.append((talk, data, announced(talk.say(port_line((host, 40000))))))
        assert endpoints[0][2] == ("192.0.2.1", 40000)
        assert endpoints[1][2] != endpoints[0][2]
        for talk, data, endpoint in endpoints:
            transfer(talk, data, endpoint)


def test_a_helper_that_is_killed_and_loaded_again_goes_on_in_mid_session(
    gateway: Gateway,
) -> None:
    policy = gateway.policy()
    gateway.done("load", policy)
    with session(gateway) as talk:
        active(talk)
        gateway.kill_helper()
        assert talk.say(b"NOOP\r\n") == b"NOOP\r\n", 'on_crash = "open"'
        assert gateway.ftpfw("status").returncode == 1
        gateway.done("load", policy)
        active(talk)


def test_on_crash_closed_has_control_connections_wait(borrowed: Gateway) -> None:
    """Nothing passes while no inspector runs, and nothing is lost when one runs again."""
    policy = borrowed.policy(on_crash="closed")
    borrowed.done("load", policy)
    with session(borrowed) as talk:
        assert talk.say(b"NOOP\r\n") == b"NOOP\r\n"
        borrowed.kill_helper()
        talk.client.sendall(b"NOOP\r\n")
        talk.server.settimeout(0.5)
        with pytest.raises(TimeoutError):
            talk.server.recv(1)
        borrowed.done("load", policy)
        talk.server.settimeout(6 * PATIENCE)  # TCP repeats ever more rarely
        assert receive_line(talk.server) == b"NOOP\r\n"


def test_an_end_by_sigterm_is_clean(gateway: Gateway) -> None:
    gateway.done("load", gateway.policy())
    pid = int((gateway.state / "ftpfw.pid").read_text())
    descriptor = os.pidfd_open(pid)
    os.kill(pid, signal.SIGTERM)
    assert select.select([descriptor], [], [], PATIENCE)[0]
    os.close(descriptor)
    left = sorted(path.name for path in gateway.state.iterdir())
    assert left == ["helper.log", "loaded.json", "lock"]
    assert (gateway.state / "helper.log").read_text() == ""


def test_loading_twice_says_so(gateway: Gateway) -> None:
    policy = gateway.policy()
    gateway.done("load", policy)
    before = gateway.traces()
    assert "is loaded already" in gateway.done("load", policy)
    another = gateway.ftpfw("load", gateway.policy(queue="7"))
    assert another.returncode == 1
    assert "loaded already" in another.stderr
    assert gateway.traces() == before


def test_unload_without_load_says_so(gateway: Gateway) -> None:
    finished = gateway.ftpfw("unload")
    assert finished.returncode == 1
    assert "nothing is loaded" in finished.stderr


BAD_POLICIES = [
    # id, text that replaces "in0" line etc., what the error names
    ("unknown key", 'outside = "out0"', 'outsid = "out0"', ":3: "),
    ("interface that is not there", '"in0"', '"eth77"', ":2: "),
    ("bad address", '"10.77.1.0/24"', '"10.77.1.300/24"', ":8: "),
    ("port out of range", "[helper]", "[helper]\nports = [70000]", ":6: "),
]


@pytest.mark.parametrize(
    ("old", "new", "place"), [row[1:] for row in BAD_POLICIES], ids=[row[0] for row in BAD_POLICIES]
)
def test_a_bad_policy_changes_nothing(gateway: Gateway, old: str, new: str, place: str) -> None:
    policy = gateway.policy()
    policy.write_text(policy.read_text().replace(old, new, 1))
    before = gateway.traces()
    finished = gateway.ftpfw("load", policy)
    assert finished.returncode == 2
    assert f"gateway.toml{place}" in finished.stderr
    assert "mend:" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert gateway.traces() == before


def test_a_queue_that_is_taken_changes_nothing(gateway: Gateway) -> None:
    def take() -> NetfilterQueue:
        queue = NetfilterQueue()
        queue.bind(0, lambda packet: packet.accept())
        return queue

    taken = inside(gateway.net.gateway, take)
    try:
        before = gateway.traces()
        finished = gateway.ftpfw("load", gateway.policy())
        assert finished.returncode == 1
        assert "queue 0 cannot be bound" in finished.stderr
        assert gateway.traces() == before
    finally:
        taken.unbind()


JUNK: list[tuple[str, bytes, set[str]]] = [
    # id, bytes, what is noted of them
    ("random bytes", random.Random(21).randbytes(20_000), set()),
    ("a random line", random.Random(21).randbytes(20_000).replace(b"\n", b""), {"line-too-long"}),
    ("lines of 64 KiB", b"PORT " + b"1" * 65_536 + b"\r\n" + b"x" * 65_536, {"line-too-long"}),
    ("NUL bytes", b"PORT 10,77,1,10\x00,4,1\r\n" + bytes(3_000) + b"\r\n", {"unusable"}),
]


@pytest.mark.parametrize("way", ["client", "server"])
@pytest.mark.parametrize(("junk", "noted"), [row[1:] for row in JUNK], ids=[row[0] for row in JUNK])
def test_junk_passes_unchanged_opens_nothing_and_is_counted(
    gateway: Gateway, way: str, junk: bytes, noted: set[str]
) -> None:
    gateway.done("load", gateway.policy())
    with session(gateway) as talk:
        ends = (talk.client, talk.server) if way == "client" else (talk.server, talk.client)
        sender = Thread(target=ends[0].sendall, args=(junk,), daemon=True)
        sender.start()
        received = b""
        while len(received) < len(junk):
            received += ends[1].recv(65536) or pytest.fail("the connection ended")
        sender.join()
        assert received == junk
        assert gateway.expectations() == []
    seen = set(gateway.notes())
    assert "expected" not in seen
    assert noted <= seen or (way == "server" and b"PORT" in junk)


def test_no_port_opens_for_a_foreign_address(gateway: Gateway) -> None:
    gateway.done("load", gateway.policy())
    with session(gateway) as talk:
        line = b"PORT 10,77,1,99,200,1\r\n"
        assert talk.say(line) == line
        assert gateway.expectations() == []
    assert gateway.notes() == {"refused": {"foreign address": 1}}


def test_without_negotiation_no_port_is_open(gateway: Gateway) -> None:
    """The server listens; the gateway's default drop is what keeps a client from it."""
    gateway.done("load", gateway.policy())
    with inside(gateway.net.server, lambda: listen("192.0.2.10", 40000)):
        with pytest.raises(TimeoutError):
            inside(gateway.net.client, lambda: connect("192.0.2.10", 40000, timeout=0.5))
        assert dropped(gateway) > 0
        with session(gateway) as talk:
            talk.answer(b"227 Entering Passive Mode (192,0,2,10,156,64)\r\n")
            inside(gateway.net.client, lambda: connect("192.0.2.10", 40000)).close()


def dropped(gateway: Gateway) -> int:
    """Packets that the default drop has counted."""
    for program in ("iptables-legacy", "iptables-nft"):
        for line in run(gateway.net.gateway, f"{program}-save", "-c").splitlines():
            if "-A ftpfw-drop -i in0" in line:
                return int(line[1:].split(":")[0])
    raise AssertionError("there is no default drop")


def test_two_loads_at_once_make_one_gateway(gateway: Gateway) -> None:
    policy = gateway.policy()
    with ThreadPoolExecutor() as pool:
        ends = list(pool.map(lambda _: gateway.ftpfw("load", policy), range(3)))
    assert 0 in [end.returncode for end in ends]
    said = "is at work in"
    assert all(end.returncode == 0 or said in end.stderr for end in ends), ends
    gateway.done("status")
    with session(gateway) as talk:
        active(talk)


def test_load_leaves_a_helper_alone_that_it_has_not_started(borrowed: Gateway) -> None:
    policy = borrowed.policy()
    ready = borrowed.directory / "ready.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(ready))
        listener.settimeout(PATIENCE)
        with borrowed.started("helper", policy, NOTIFY_SOCKET=str(ready)) as helper:
            assert listener.recv(100) == b"READY=1"
            finished = borrowed.ftpfw("load", policy)
            assert finished.returncode == 1
            assert "has not started" in finished.stderr
            assert helper.poll() is None
            borrowed.done("unload")
            assert helper.wait(PATIENCE) == 0
    assert not borrowed.state.exists()


def test_unload_ends_what_a_killed_load_left(gateway: Gateway) -> None:
    before = gateway.traces()
    gateway.done("load", gateway.policy())
    (gateway.state / "loaded.json").unlink()
    gateway.done("unload")
    assert gateway.traces() == before


def test_another_namespace_does_not_touch_the_gateway(gateway: Gateway) -> None:
    gateway.done("load", gateway.policy())
    before = gateway.traces()
    elsewhere = replace(gateway, net=replace(gateway.net, gateway=gateway.net.client))
    for command in ("unload", "status"):
        finished = elsewhere.ftpfw(command)
        assert finished.returncode == 1
        assert "another network namespace" in finished.stderr
    assert gateway.traces() == before


def test_rules_that_have_gone_are_told_and_mended(gateway: Gateway) -> None:
    policy = gateway.policy()
    gateway.done("load", policy)
    before = gateway.traces()
    gateway.done("rules", "remove", policy)
    gone = gateway.ftpfw("status")
    assert gone.returncode == 1
    assert "differences" in gone.stdout
    assert "differences from its rules are mended" in gateway.done("load", policy)
    assert gateway.traces() == before
    gateway.done("status")


def test_a_comment_makes_no_other_policy(gateway: Gateway) -> None:
    policy = gateway.policy()
    gateway.done("load", policy)
    policy.write_text("# for the audit\n" + policy.read_text())
    assert "is loaded already" in gateway.done("load", policy)


@pytest.mark.parametrize("firewall", ["legacy", "nft-compat"])
def test_load_on_either_firewall(gateway: Gateway, firewall: str) -> None:
    """Rules of somebody's decide which; a bare accept stands for them."""
    program = {"legacy": "iptables-legacy", "nft-compat": "iptables-nft"}[firewall]
    run(gateway.net.gateway, program, "-A", "INPUT", "-j", "ACCEPT")
    before = gateway.traces()
    assert f"rules on {firewall}" in gateway.done("load", gateway.policy())
    with session(gateway) as talk:
        active(talk)
    gateway.done("unload")
    assert gateway.traces() == before


def queue_udp(gateway: Gateway) -> None:
    """Send packets to the inspector that are none of its business."""
    rule = ["OUTPUT", "-p", "udp", "-j", "NFQUEUE", "--queue-num", "0", "--queue-bypass"]
    run(gateway.net.gateway, "iptables-legacy", "-A", *rule)


def udp(gateway: Gateway) -> socket.socket:
    return inside(gateway.net.gateway, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))


def test_packets_that_are_no_segments_pass(borrowed: Gateway) -> None:
    borrowed.done("load", borrowed.policy())
    queue_udp(borrowed)
    server = inside(borrowed.net.server, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with server, udp(borrowed) as sender:
        server.bind(("192.0.2.10", 9))
        server.settimeout(PATIENCE)
        for payload in (b"", b"PORT 10,77,1,10,4,1\r\n", bytes(1400)):
            sender.sendto(payload, ("192.0.2.10", 9))
            assert server.recv(2000) == payload
    assert borrowed.notes() == {"not-a-segment": {"not TCP": 3}}
    with session(borrowed) as talk:
        active(talk)


def test_an_overrun_queue_recovers(borrowed: Gateway) -> None:
    """More packets than the queue's socket can take while the inspector does not run."""
    borrowed.done("load", borrowed.policy())
    queue_udp(borrowed)
    pid = int((borrowed.state / "ftpfw.pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        with udp(borrowed) as sender:
            sender.setblocking(False)
            sender.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 64 << 20)
            for _ in range(6000):
                sender.sendto(bytes(1400), ("192.0.2.10", 9))
    finally:
        os.kill(pid, signal.SIGCONT)
    with session(borrowed) as talk:
        active(talk)
    (worker,) = borrowed.status()["helper"]["workers"]
    assert worker["overruns"] > 0
    assert worker["errors"] == 0
