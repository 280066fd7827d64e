"""Writing bound to a directory, in a process of its own: it cannot be taken back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, sys
from pathlib import Path
from ftpfw.helper.landlock import confine_writing
from ftpfw.helper.privileges import PR_SET_NO_NEW_PRIVS, _prctl
inside, outside = map(Path, sys.argv[1:3])
_prctl(PR_SET_NO_NEW_PRIVS, 1)
if not confine_writing([inside]):
    sys.exit("no Landlock")
"""


def confined(tmp_path: Path, code: str) -> str:
    """The last line of what ``code`` says, confined to ``inside``; "done" where it goes through."""
    for name in ("inside", "outside"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "old").write_text("old")
    argv = [sys.executable, "-c", f"{SCRIPT}\n{code}\nprint('done')"]
    done = subprocess.run(
        [*argv, str(tmp_path / "inside"), str(tmp_path / "outside")],
        capture_output=True,
        text=True,
        check=False,
    )
    if "no Landlock" in done.stderr:
        pytest.skip("needs a kernel with Landlock")
    return (done.stdout + done.stderr).splitlines()[-1]


ALLOWED = [
    # id, code
    ("create and write", "(inside / 'new').write_text('new')"),
    ("append", "(inside / 'old').open('a').write('more')"),
    ("rename", "(inside / 'old').rename(inside / 'old.1')"),
    ("remove", "(inside / 'old').unlink()"),
    ("a socket", "import socket; socket.socket(socket.AF_UNIX).bind(str(inside / 'sock'))"),
    ("read elsewhere", "assert (outside / 'old').read_text() == 'old'"),
    ("signal a child", "import signal; os.kill(os.fork() or signal.pause(), 9)"),
]


@pytest.mark.parametrize("code", [row[1] for row in ALLOWED], ids=[row[0] for row in ALLOWED])
def test_what_the_helper_does_goes_on(tmp_path: Path, code: str) -> None:
    assert confined(tmp_path, code) == "done"


REFUSED = [
    # id, code
    ("create", "(outside / 'new').write_text('new')"),
    ("append", "(outside / 'old').open('a')"),
    ("truncate", "os.truncate(outside / 'old', 0)"),
    ("remove", "(outside / 'old').unlink()"),
    ("move in", "(outside / 'old').rename(inside / 'moved')"),
    ("make a directory", "(inside / 'directory').mkdir()"),
    ("make a link", "(inside / 'link').symlink_to('/etc/shadow')"),
    ("execute", "os.execv(sys.executable, [sys.executable])"),
    ("execute what it wrote", "os.chmod(inside / 'old', 0o700); os.execv(inside / 'old', ['old'])"),
]


@pytest.mark.parametrize("code", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_everything_else_is_refused(tmp_path: Path, code: str) -> None:
    said = confined(tmp_path, code)
    assert said.startswith(("PermissionError", "OSError: [Errno 18]")), said
    assert (tmp_path / "outside" / "old").read_text() == "old"


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    said = confined(tmp_path, "confine_writing([outside / 'gone'])")
    assert "mkdir -p" in said
