"""How much: sessions, bytes and files, disk, speed."""

from __future__ import annotations

from dataclasses import dataclass

from ftpfw.server.settings import Limits, Settings

TOO_MANY = "421 Too many connections, try again later."
TOO_MANY_FROM_HERE = "421 Too many connections from your address."
DISK_IS_FULL = "452 Insufficient storage space."
TOO_MUCH = "552 Exceeded storage allocation."


@dataclass(frozen=True, slots=True)
class Census:
    """Sessions at this moment, over all workers; the one in question is not among them."""

    sessions: int
    from_address: int
    logged_in: int
    logged_in_from_address: int = 0


def refuse_session(limits: Limits, census: Census) -> str | None:
    """The reply that turns a client away."""
    if not limits.clients_from_login and _is_full(census.sessions, limits.clients):
        return TOO_MANY
    if limits.clients_per_address_from_login:
        return None
    return TOO_MANY_FROM_HERE if _is_full(census.from_address, limits.clients_per_address) else None


def refuse_login(limits: Limits, census: Census) -> str | None:
    """The reply that refuses to log in one more; they all have the one anonymous user."""
    bounds = [limits.anonymous_clients, limits.clients_per_user]
    bounds += [limits.clients] if limits.clients_from_login else []
    if any(_is_full(census.logged_in, one) for one in bounds):
        return TOO_MANY
    each = limits.clients_per_address if limits.clients_per_address_from_login else None
    return TOO_MANY_FROM_HERE if _is_full(census.logged_in_from_address, each) else None


def _is_full(taken: int, most: int | None) -> bool:
    return most is not None and taken >= most


@dataclass(frozen=True, slots=True)
class Room:
    """What the directories for uploads hold, and the blocks of their file system."""

    files: int
    bytes: int
    blocks: int
    free_blocks: int


def refuse_upload(settings: Settings, room: Room, written: int = 0) -> str | None:
    """The reply that refuses an upload, or ends one of which ``written`` bytes have come.

    ``room`` counts an upload that goes on: its file, and the bytes that are to be written next.
    """
    limits, box = settings.limits, settings.anonymous.drop_box
    if limits.full_disk is not None and room.blocks:
        used = room.blocks - room.free_blocks
        if used * 100 >= limits.full_disk * room.blocks:
            return DISK_IS_FULL
    if limits.upload_bytes is not None and written > limits.upload_bytes:
        return TOO_MUCH
    if box.quota_bytes is not None and room.bytes > box.quota_bytes:
        return TOO_MUCH
    return TOO_MUCH if box.quota_files is not None and room.files > box.quota_files else None


def pause(done: int, rate: int, elapsed: float) -> float:
    """Seconds to wait before going on, after ``done`` bytes in ``elapsed`` seconds."""
    return max(0.0, done / rate - elapsed)
