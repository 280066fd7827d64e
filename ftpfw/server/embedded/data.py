"""A data connection: how bytes go through it.

pyftpdlib's is changed where that matters: an upload that ends in a reset is not whole.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from pyftpdlib.exceptions import _FileReadWriteError, _GiveUpOnSendfile, _RetryError
from pyftpdlib.handlers.ftp.data import DTPHandler
from pyftpdlib.ioloop import timer

from ftpfw.server.embedded.bounds import pause
from ftpfw.server.embedded.upload import Refused, reply_to

CHUNK = 1 << 20
_BUFFER = memoryview(bytearray(CHUNK))
"""What all uploads of a worker are read into: fresh memory for each chunk costs page faults."""

SENT_AT_ONCE = 1 << 20
TURNS = 4
"""Calls of sendfile for one client before others have their turn."""

_AGAIN = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EBUSY)
_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.ETIMEDOUT, errno.ESHUTDOWN)


class Data(DTPHandler):
    """A data connection. Nothing is read or sent before a transfer begins."""

    ac_in_buffer_size = CHUNK
    ready = True

    def __init__(self, sock: socket.socket, session: Any) -> None:
        settings = session.site.settings
        self.timeout = settings.timeouts.stalled
        self.upload_rate = settings.limits.anonymous_upload_rate
        self.download_rate = settings.limits.anonymous_download_rate
        self.ended = False
        super().__init__(sock, session)

    def add_channel(self, map: Any = None, events: int | None = None) -> None:  # noqa: A002
        """Watch for nothing but its end, until there is something to do."""
        super().add_channel(map, 0 if events is None else events)

    def readable(self) -> bool:
        """Whether it takes bytes."""
        return bool(self.receive)

    def open(self) -> None:
        """The session has it: a transfer that waits for it can begin."""
        self.cmd_channel.use_data()

    def is_running(self) -> bool:
        """Whether a transfer has begun on it."""
        return bool(self._initialized)

    def begin(self) -> None:
        """A transfer begins now: time and speed count from here."""
        self._start_time = timer()

    # out of the server

    def push_with_producer(self, producer: Any) -> None:
        """Send a file, by sendfile where it goes as it is."""
        self._initialized = True
        if not self.use_sendfile():
            super().push_with_producer(producer)
            return
        self._offset, self._filefd = producer.file.tell(), producer.file.fileno()
        try:
            self.initiate_sendfile()
        except _GiveUpOnSendfile:
            super().push_with_producer(producer)
            return
        if not self._closed:
            self.initiate_send = self.initiate_sendfile
            self._resume(self.ioloop.WRITE)

    def initiate_sendfile(self) -> None:
        """Send as much as the connection takes, in a few turns."""
        for _ in range(TURNS):
            try:
                sent = os.sendfile(self._fileno, self._filefd, self._offset, self._at_once())
            except OSError as error:
                self._sendfile_failed(error)
                return
            self._offset += sent
            self.tot_bytes_sent += sent
            if not sent or self._offset >= self.file_obj.size:
                self.discard_buffers()
                self.handle_close()
                return
            if self._must_wait(self.tot_bytes_sent, self.download_rate):
                return

    def _at_once(self) -> int:
        return SENT_AT_ONCE if self.download_rate is None else max(1024, self.download_rate // 8)

    def _sendfile_failed(self, error: OSError) -> None:
        if error.errno in _AGAIN:
            return
        if error.errno in _GONE:
            self.producer_fifo.append(None)  # something was left to send
            self.handle_close()
        elif self.tot_bytes_sent == 0:
            raise _GiveUpOnSendfile from error
        else:
            raise error

    def send(self, data: bytes) -> int:
        """Send bytes of a listing, a text or inside TLS."""
        if self.download_rate is not None:
            data = data[: self._at_once()]
        sent = int(super().send(data))
        if sent:
            self._must_wait(self.tot_bytes_sent, self.download_rate)
        return sent

    def _must_wait(self, done: int, rate: int | None) -> bool:
        """Whether it is ahead of its rate; then it is left alone until it is not."""
        seconds = pause(done, rate, timer() - self._start_time) if rate else 0
        if seconds <= 0 or self._closed:
            return False
        events = self.ioloop.READ if self.receive else self.ioloop.WRITE
        self.modify_ioloop_events(0)
        self.call_later(seconds, self._resume, events)
        return True

    def _resume(self, events: int) -> None:
        if not self._closed:
            self._wanted_io_events = events
            self.modify_ioloop_events(events)

    # into the server

    def handle_read(self) -> None:
        """Take bytes; a reset is no end of a file."""
        try:
            chunk = self.recv(self.ac_in_buffer_size)
        except _RetryError:
            return
        if not chunk:
            return
        self.tot_bytes_received += len(chunk)
        if self._data_wrapper is not None:
            chunk = self._data_wrapper(bytes(chunk))
        try:
            self.file_obj.write(chunk)
        except OSError as error:
            raise _FileReadWriteError(error) from error
        self._must_wait(self.tot_bytes_received, self.upload_rate)

    handle_read_event = handle_read

    def recv(self, buffer_size: int) -> memoryview:
        """Bytes, until the next call; none at the end, which `ended` tells from a reset."""
        if self.upload_rate is not None:
            buffer_size = max(1024, min(buffer_size, self.upload_rate // 8))
        try:
            count = self.socket.recv_into(_BUFFER[:buffer_size])
        except OSError as error:
            if error.errno in _AGAIN:
                raise _RetryError from error
            if error.errno not in _GONE:
                raise
            self.handle_close()
            return _BUFFER[:0]
        if not count:
            self.ended = True
            self.handle_close()
        return _BUFFER[:count]

    # its end

    def handle_error(self) -> None:
        """Say what an upload was refused for; everything else is pyftpdlib's."""
        try:
            raise  # noqa: PLE0704 -- asyncore calls it while an exception is handled
        except Refused as refused:
            self.abort(str(refused))
        except _FileReadWriteError as error:
            cause = error.__cause__
            self.abort(reply_to(cause) if isinstance(cause, OSError) else "426 Transfer aborted.")
        except Exception:
            super().handle_error()

    def abort(self, reply: str) -> None:
        """End the transfer, which is not whole, with this reply."""
        self._resp = (reply, self.cmd_channel.log)
        self.transfer_finished = False
        self.close()

    def handle_close(self) -> None:
        """The client has closed it, or everything is sent."""
        if self._closed:
            return
        if not self._initialized:
            self.close()
            return
        if self.receive and not self.ended:
            self.abort("426 Connection broken; transfer aborted.")
            return
        if self.receive and not self._is_committed():
            return
        super().handle_close()

    def _is_committed(self) -> bool:
        """Give an upload its name; where it cannot have it, the transfer has ended so."""
        try:
            self.file_obj.commit()
        except Refused as refused:
            self.abort(str(refused))
        except OSError as error:
            self.abort(reply_to(error))
        else:
            return True
        return False
