"""Serves the metrics over HTTP, on an address of this host or over a socket file.

Format: Prometheus' text exposition or OpenMetrics, as the scraper asks (prometheus-client
does both). The server has a thread of its own and one for each of at most `CONNECTIONS`
scrapers: one more ends the oldest, so whoever hangs keeps nobody else out. It gets its
numbers by ``report`` alone, which may raise HostError: then the answer is 503.

There is no TLS and no password: the policy allows loopback addresses only, and a socket
file belongs to its owner (0600).
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from ftpfw.conntrack.model import parse_endpoint
from ftpfw.errors import HostError
from ftpfw.helper.eventloop import EventLoop, beside
from ftpfw.helper.metrics import Family, Samples, Type, families, verdict_times
from ftpfw.helper.report import Report

CONNECTIONS = 4
"""Scrapers at a time."""

PATIENCE = 5.0
"""Seconds that a scraper may be silent; it should take milliseconds."""


@contextmanager
def exporting(where: str | None, report: Callable[[], Report]) -> Iterator[None]:
    """Serve metrics at ``where``, an address and port or an absolute path, meanwhile.

    HostError where that cannot be listened on; None serves nothing.
    """
    if where is None:
        yield
        return
    with _listening(where) as server, closing(EventLoop()) as loop:
        server.set_app(_application(report))
        loop.watch(server.fileno(), server.handle_request)
        with beside(loop):
            yield


@contextmanager
def _listening(where: str) -> Iterator[_Server]:
    """The server, bound; a socket file that nobody serves any more is replaced."""
    path = Path(where) if where.startswith("/") else None
    with suppress(OSError):
        if path and stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()
    try:
        server = _Server(*_address(where))
    except OSError as error:
        raise HostError(
            f"metrics cannot be served at {where}: {error.strerror}",
            mend="stop what has it, or set [helper] metrics to another port or path",
        ) from error
    try:
        yield server
    finally:
        server.server_close()
        if path:
            path.unlink(missing_ok=True)


def _address(where: str) -> tuple[int, tuple[str, int] | str]:
    """Family and address of what the policy allows: a path, ``127.0.0.1:9921``, ``[::1]:9921``."""
    if where.startswith("/"):
        return socket.AF_UNIX, where
    address, port = parse_endpoint(where)
    host = ip_address(address)
    return socket.AF_INET if host.version == 4 else socket.AF_INET6, (str(host), port)


class ReportCollector(Collector):
    """Turns a report into Prometheus' metrics, anew at every scrape."""

    def __init__(self, report: Callable[[], Report]) -> None:
        self._report = report

    def collect(self) -> Iterable[Metric]:
        """Every family, whether or not it has samples yet."""
        report = self._report()
        for family, samples in families(report):
            yield _metric(family, samples)
        times = verdict_times(report)
        histogram = HistogramMetricFamily(times.name, times.help)
        histogram.add_metric([], times.buckets, times.sum)
        yield histogram

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering asks for no report."""
        return []


def _metric(family: Family, samples: Samples) -> Metric:
    kind = CounterMetricFamily if family.type is Type.COUNTER else GaugeMetricFamily
    metric = kind(family.name, family.help, labels=family.labels)
    for labels, value in samples.items():
        metric.add_metric(labels, value)
    return metric


def _application(report: Callable[[], Report]) -> Callable[..., Iterable[bytes]]:
    registry = CollectorRegistry()
    registry.register(ReportCollector(report))
    answer = make_wsgi_app(registry)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            found: Iterable[bytes] = answer(environ, start_response)
        except HostError as error:
            start_response("503 Service Unavailable", [("Content-Type", "text/plain")])
            return [f"{error}\n".encode()]
        return found

    return application


class _Handler(WSGIRequestHandler):
    """One scrape; nothing is logged, for a scraper must not fill the disk."""

    timeout = PATIENCE

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing."""


class _Server(ThreadingMixIn, WSGIServer):
    """A WSGI server with a bound on its connections, for either family of sockets."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = socket.SOMAXCONN  # who hangs must not fill it either

    def __init__(self, family: int, address: tuple[str, int] | str) -> None:
        self.address_family = family
        self._at_work: list[socket.socket] = []
        # typeshed knows TCP addresses only
        super().__init__(address, _Handler)  # type: ignore[arg-type]

    def server_bind(self) -> None:
        """Bind; without HTTPServer's look-up of a host name, which may ask the network."""
        if self.address_family == socket.AF_UNIX:
            # bind(2) takes the file's mode from the socket, so it is never open to others.
            os.fchmod(self.socket.fileno(), 0o600)
        TCPServer.server_bind(self)
        self.socket.setblocking(False)
        self.server_name, self.server_port = "localhost", 0
        self.setup_environ()

    def get_request(self) -> tuple[Any, Any]:
        """Accept a scraper; over a socket file its address is empty, where HTTP wants a host."""
        request, address = super().get_request()
        return request, address or ("localhost", 0)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve in a thread; where all are busy, the connection that is oldest ends."""
        if len(self._at_work) >= CONNECTIONS:
            _end(self._at_work.pop(0))
        self._at_work.append(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection that has been served."""
        with suppress(ValueError):
            self._at_work.remove(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """A scraper that goes away in the middle is no news."""

    def server_close(self) -> None:
        """Stop listening, and end what hangs."""
        super().server_close()
        for request in list(self._at_work):
            _end(request)


def _end(request: socket.socket) -> None:
    """Have the thread that waits for a connection see its end."""
    with suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)
