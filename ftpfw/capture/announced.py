"""From the engine's note to what a report says of a negotiation.

The engine notes what became of a line; which endpoint the line announced is read from it
again, with the parsers that the engine used.
"""

from __future__ import annotations

from ftpfw.capture.heard import Heard
from ftpfw.capture.report import Mode, Negotiated
from ftpfw.conntrack.model import Tuple
from ftpfw.ftp.hostport import HostPort, HostPortError, find_227, find_229
from ftpfw.ftp.lines import Line
from ftpfw.ftp.negotiation import Kind, Negotiation, parse_command
from ftpfw.helper.commands import Note, NoteKind


def announced(note: Note, kind: Kind, control: Tuple, heard: Heard) -> Negotiated:
    """What ``note`` decided about a line of that kind; ``control`` is the original tuple."""
    active = kind in (Kind.PORT, Kind.EPRT)
    client, server = control.src, control.dst
    endpoint = _endpoint(kind, note.detail.encode("latin-1"))
    own = client if active else server
    return Negotiated(
        number=heard.number,
        time=heard.time,
        line=note.detail or kind.name,
        mode=Mode.ACTIVE if active else Mode.PASSIVE,
        source=server if active else client,
        destination=(endpoint.host.packed if endpoint.host else own) if endpoint else None,
        port=endpoint.port if endpoint else None,
        reason=None if note.kind is NoteKind.EXPECTED else note.reason,
    )


def _endpoint(kind: Kind, text: bytes) -> HostPort | None:
    """The endpoint that a line announces; None where it cannot be understood."""
    try:
        match kind:
            case Kind.PASV:
                return find_227(text)[0]
            case Kind.EPSV:
                return find_229(text)[0]
            case _:
                event = parse_command(Line(0, text + b"\r\n"))
    except HostPortError:
        return None
    return event.endpoint if isinstance(event, Negotiation) else None
