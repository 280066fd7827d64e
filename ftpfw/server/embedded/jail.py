"""Files below one directory: openat2(2) with RESOLVE_IN_ROOT, so the kernel lets nothing out.

A link is followed as after a chroot(2): an absolute one begins at the root, and ``..`` ends
there. It holds while others rename directories and change links, which a check of the real path
beforehand does not, and takes no privilege. /proc/self/fd tells what a path has turned out to be.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from ftpfw.errors import HostError

OPENAT2 = 437  # on every architecture but alpha
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_IN_ROOT = 0x10
_RESOLVE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.argtypes = [
    ctypes.c_long,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_size_t,
]
_syscall.restype = ctypes.c_long

RENAME_NOREPLACE = 1
_renameat2 = _libc.renameat2
_renameat2.argtypes = [
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_uint,
]

READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
PATH = os.O_PATH | os.O_CLOEXEC


class Jail:
    """A directory and what is below it. Paths begin with ``/``, which is the directory."""

    def __init__(self, directory: str) -> None:
        self.descriptor = os.open(directory, PATH | os.O_DIRECTORY)
        self.directory = os.readlink(f"/proc/self/fd/{self.descriptor}")
        self._prefix = len(self.directory.rstrip("/"))
        try:
            os.close(self.open("/", PATH))
        except OSError as error:
            if error.errno not in {errno.ENOSYS, errno.EPERM}:
                raise
            raise HostError(
                f"openat2 is not to be had here ({os.strerror(error.errno)}), which keeps links "
                "from leading out of what is served",
                mend="use Linux 5.6 or later, and a container that allows openat2",
            ) from error

    def open(self, path: str, flags: int, mode: int = 0) -> int:
        """Open a path; OSError as the system call has it."""
        name = os.fsencode(path)
        if b"\0" in name:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        how = struct.pack("=QQQ", flags, mode, _RESOLVE)
        made = _syscall(OPENAT2, self.descriptor, name, how, len(how))
        if made < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return int(made)

    @contextmanager
    def opened(self, path: str, flags: int = PATH) -> Iterator[int]:
        """A descriptor for a while."""
        descriptor = self.open(path, flags)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def real(self, descriptor: int) -> str:
        """The path that an open file has, links followed. OSError(ENOENT) where it has none."""
        whole = os.readlink(f"/proc/self/fd/{descriptor}")
        if whole == self.directory:
            return "/"
        path = whole[self._prefix :]
        if not path.startswith("/") or not whole.startswith(self.directory):
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        return path

    def stat(self, path: str) -> os.stat_result:
        """Size, mode, owner and the like of a path."""
        with self.opened(path) as descriptor:
            return os.fstat(descriptor)

    def close(self) -> None:
        """Give the directory back."""
        os.close(self.descriptor)


def rename_to_new(old: int, name: str, new: int, to: str) -> None:
    """Rename from one open directory to another, replacing nothing (renameat2(2)).

    Not every file system can: there a file gets its new name by link(2), and directories stay.
    """
    if not _renameat2(old, os.fsencode(name), new, os.fsencode(to), RENAME_NOREPLACE):
        return
    number = ctypes.get_errno()
    if number not in {errno.EINVAL, errno.ENOSYS}:
        raise OSError(number, os.strerror(number))
    os.link(name, to, src_dir_fd=old, dst_dir_fd=new, follow_symlinks=False)
    os.unlink(name, dir_fd=old)
