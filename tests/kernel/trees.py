"""What is below a directory: read, compared with what was there before, and put back.

A path is told with its size, mode and owners, since these are what a server leaves on disk.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

_AT_RANDOM = re.compile(r"(?<=[.-])[0-9a-f]{8,}$|(?<=/ftp)[A-Za-z0-9]{6}$|(?<=ftpd\.)[0-9a-f.]+$")
"""What servers put into a name so that it is new: nobody can tell it before."""


@dataclass(frozen=True, slots=True)
class Node:
    """A file, directory or symbolic link; ``content`` is that of a file, or where a link leads."""

    mode: int
    uid: int
    gid: int
    content: bytes


Tree = dict[str, Node]


def read_tree(root: Path) -> Tree:
    """Everything below a directory, and it itself as ``""``."""
    below = sorted(root.rglob("*"))
    return {"": _node(root)} | {str(path.relative_to(root)): _node(path) for path in below}


def _node(path: Path) -> Node:
    found = path.lstat()
    content = b""
    if stat.S_ISREG(found.st_mode):
        content = path.read_bytes()
    elif stat.S_ISLNK(found.st_mode):
        content = os.fsencode(path.readlink())
    return Node(found.st_mode, found.st_uid, found.st_gid, content)


def changes(before: Tree, after: Tree, users: dict[int, str]) -> list[str]:
    """What has come (+), gone (-) and changed (~), sorted; ``users`` names uids."""
    gone = [f"-{path}" for path in before.keys() - after.keys()]
    come = [f"+{_told(path, after[path], users)}" for path in after.keys() - before.keys()]
    other = [
        f"~{_told(path, after[path], users)}"
        for path in after.keys() & before.keys()
        if before[path] != after[path]
    ]
    return sorted(gone + come + other)


def _told(path: str, node: Node, users: dict[int, str]) -> str:
    name = _AT_RANDOM.sub("*", path)
    size = "/" if stat.S_ISDIR(node.mode) else f" {len(node.content)}"
    return f"{name}{size} {stat.S_IMODE(node.mode):o} {users.get(node.uid, str(node.uid))}"


def restore(root: Path, tree: Tree) -> None:
    """Put back what was there; what has not changed is not touched, as servers hold it open."""
    now = read_tree(root)
    for path in sorted(now.keys() - tree.keys(), reverse=True):
        _remove(root / path)
    for path in sorted(tree):
        if now.get(path) != tree[path]:
            _put(root / path, tree[path])


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _put(path: Path, node: Node) -> None:
    if stat.S_ISDIR(node.mode):
        path.mkdir(exist_ok=True)
    else:
        path.unlink(missing_ok=True)
        if stat.S_ISLNK(node.mode):
            path.symlink_to(os.fsdecode(node.content))
        else:
            path.write_bytes(node.content)
    os.chown(path, node.uid, node.gid, follow_symlinks=False)
    if not stat.S_ISLNK(node.mode):
        path.chmod(stat.S_IMODE(node.mode))
