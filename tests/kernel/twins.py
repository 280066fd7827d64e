"""A daemon and the embedded server, by one configuration and with the same files; and probes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from ftpfw.server.options import Form
from ftpfw.server.recipes import Recipe

from .deeds import DEEDS
from .ftp_servers import HERE, PORT, serving
from .netns import inside
from .scripts import hang_up, play
from .served import Talk
from .trees import Tree, changes, read_tree, restore

ROOM = """
for user in ftp keeper; do
    id $user >/dev/null 2>&1 || useradd --system --user-group --no-create-home $user
done
usermod --home /srv/ftp ftp
install -d -m 0755 /srv/ftp /srv/ftp/pub /srv/ftp/pub/deep /srv/ftp/pub/deep/deeper
install -d -m 0755 -o ftp -g ftp /srv/ftp/open
install -d -m 1730 -o root -g ftp /srv/ftp/incoming
cd /srv/ftp
printf small > pub/small; printf deep > pub/deep/file; printf dot > pub/.dot
printf private > pub/private; chmod 0600 pub/private
printf there > open/there; printf there > incoming/there
printf public > open/public; printf two > open/two.txt
chmod 0600 incoming/there
chown ftp:ftp open/* incoming/there
ln -s small pub/inner; ln -s /etc/passwd pub/outer
head -c 200000 /dev/zero > pub/big
"""
"""Who is there and what: ``open`` is the sessions' own, ``incoming`` a drop box."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A script that is played with a session of its own; ``login``: in one that has logged in."""

    id: str
    script: str
    login: bool = True


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs in a namespace; its files as this host sees them."""

    namespace: str
    files: Path
    root: Path
    tree: Tree
    at: tuple[str, int]
    users: dict[int, str]

    def answer(self, probe: Probe) -> str:
        """What comes of a probe, and what it leaves on disk, which is put back."""
        (answer,) = self.answers([probe])
        return answer

    def answers(self, probes: Sequence[Probe], together: int = 1) -> Iterator[str]:
        """Those of several, each in a session of its own; so many of these begin together.

        A master of ProFTPD rests for a fifth of a second or two after a session has ended.
        """
        for start in range(0, len(probes), together):
            some = probes[start : start + together]
            talks = inside(self.namespace, partial(_connect, len(some), *self.at))
            for probe, talk in zip(some, talks, strict=True):
                yield self._answer(probe, talk)
            for talk in talks:
                hang_up(talk)

    def _answer(self, probe: Probe, talk: Talk) -> str:
        try:
            said = inside(
                self.namespace,
                lambda: play(probe.script, talk, DEEDS, login=probe.login, files=self.files),
            )
        except TimeoutError:
            pytest.fail(f"{probe.id}: no answer to {probe.script}")
        left = changes(self.tree, read_tree(self.root), self.users)
        restore(self.root, self.tree)
        return " | ".join([said, *left])


def _connect(count: int, host: str, port: int) -> list[Talk]:
    return [Talk(port, host, host) for _ in range(count)]


@contextmanager
def running(
    namespace: str,
    form: Form,
    text: str,
    directory: Path,
    *,
    ours: bool,
    commands: str = "",
    by_inetd: bool = False,
    at: tuple[str, int] = (HERE, PORT),
) -> Iterator[Running]:
    """One of the two, the daemon or ``ours``, by a configuration."""
    directory.mkdir()
    recipe = Recipe(text, (), ROOM + commands, "")
    with serving(namespace, form, recipe, directory, by_inetd=by_inetd, ours=ours, at=at):
        root = directory / "srv" / "ftp"
        lines = (directory / "etc" / "passwd").read_text().splitlines()
        users = {int(line.split(":")[2]): line.split(":")[0] for line in lines}
        yield Running(namespace, directory, root, read_tree(root), at, users)
