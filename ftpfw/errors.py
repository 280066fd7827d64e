"""The errors that ftpfw raises, by whose fault they are.

Each one says what happened, where, and, as ``mend``, what to do about it.
The core raises them; only the command line prints them and picks the exit code.

    FtpfwError
      PeerError       an FTP peer sent something malformed or refused
      PolicyError     the user's policy file: file, line, mend           (exit 2)
      ConfigError     a server's configuration: file, line, span, mend   (exit 2)
      HostError       this host lacks something: root, a program, a module
      KernelError     the kernel refused: what was attempted, errno, likely cause
"""

from __future__ import annotations

import errno as errno_names
import os


def errno_name(number: int) -> str:
    """The C name of an errno, by the name that the kernel uses where there are two."""
    if number == errno_names.EOPNOTSUPP:
        return "EOPNOTSUPP"
    return errno_names.errorcode.get(number, str(number))


class FtpfwError(Exception):
    """An error whose text is fit for the user."""

    exit_code = 1

    def __init__(self, what: str, *, mend: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.what}\n  mend: {self.mend}" if self.mend else self.what


class PeerError(FtpfwError):
    """An FTP peer sent something that is malformed or refused; never the user's fault."""


class PolicyError(FtpfwError):
    """The policy file is wrong; nothing was applied.

    ``line`` counts from 1; None where the file as a whole is meant.
    """

    exit_code = 2

    def __init__(
        self, what: str, *, file: str, line: int | None = None, mend: str | None = None
    ) -> None:
        super().__init__(what, mend=mend)
        self.file = file
        self.line = line

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {super().__str__()}"


class ConfigError(FtpfwError):
    """A server's configuration is wrong, or cannot be obeyed.

    ``line`` counts from 1; ``text`` is that line and ``span`` what of it is meant, in columns
    from 0. Without them the file as a whole is meant.
    """

    exit_code = 2

    def __init__(
        self,
        what: str,
        *,
        file: str,
        line: int | None = None,
        text: str = "",
        span: tuple[int, int] = (0, 0),
        mend: str | None = None,
    ) -> None:
        super().__init__(what, mend=mend)
        self.file = file
        self.line = line
        self.text = text
        self.span = span

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        start, end = self.span
        shown = "".join(char if char.isprintable() else " " for char in self.text)
        marked = f"\n    {shown}\n    {' ' * start}{'^' * (end - start)}" if start < end else ""
        mend = f"\n  mend: {_printable(self.mend)}" if self.mend else ""
        return f"{_printable(f'{where}: {self.what}')}{marked}{mend}"


def _printable(text: str) -> str:
    """The file's words with control characters as escapes: a terminal must not obey them."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class HostError(FtpfwError):
    """This host lacks something that the command needs."""


class KernelError(FtpfwError):
    """The kernel refused a request.

    ``errno`` is positive, as in errno(3); ``attempted`` completes "could not …".
    """

    def __init__(
        self, attempted: str, errno: int, *, cause: str | None = None, mend: str | None = None
    ) -> None:
        name = errno_name(errno)
        what = f"could not {attempted}: {name} ({os.strerror(errno)})"
        super().__init__(f"{what}; {cause}" if cause else what, mend=mend)
        self.attempted = attempted
        self.errno = errno
        self.cause = cause
