"""The embedded server by configurations of the three daemons: what they say holds here too."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from ftpfw.server.options import Form
from ftpfw.server.recipes import KEEPER, Place, Purpose, make

from .netns import require_root
from .served import HERE, Served, make_root, serve

HARDENED = Path(__file__).parents[3] / "shared" / "servers" / "hardened"
SOMEBODY = "nobody"
"""Who is on every host, in place of a user that the recipes would make."""

KINDS = [
    ("--vsftpd", Form.VSFTPD, "vsftpd.conf"),
    ("--pure-ftpd", Form.PURE_ARGS, "pure-ftpd.args"),
    ("--pure-ftpd", Form.PURE_CONF, ""),
    ("--proftpd", Form.PROFTPD, "proftpd.conf"),
]
KEEPS = {Form.VSFTPD, Form.PROFTPD}
"""Who can give uploads to somebody else."""


def box(root: Path) -> Path:
    """A drop box as the recipes' commands make it."""
    made = root / "incoming"
    made.mkdir()
    os.chown(made, 0, pwd.getpwnam("ftp").pw_gid)
    made.chmod(0o1730)
    return made


def configuration(root: Path, form: Form, text: str) -> str:
    """What the option takes: flags, or a file."""
    text = text.replace(KEEPER, SOMEBODY).replace("/srv/ftp", str(root))
    if form is Form.PURE_ARGS:
        return text.strip().removeprefix("pure-ftpd ")
    file = root.parent / f"{form}.conf"
    file.write_text(text)
    return str(file)


@pytest.fixture(params=KINDS, ids=[str(form) for _, form, _ in KINDS])
def generated(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Served, Form]]:
    require_root()
    option, form, _ = request.param
    root = make_root(tmp_path)
    box(root)
    recipe = make(Purpose.DROP_BOX, form, Place(str(root), ip_address(HERE), 2121))
    value = configuration(root, form, recipe.configuration)
    with serve(root, option, value, "--root", str(root), "--xferlog", f"{root}.log") as one:
        yield one, form


def test_a_generated_drop_box_is_one_here(generated: tuple[Served, Form]) -> None:
    one, form = generated
    incoming = one.root / "incoming"
    with one.login() as talk:
        assert talk.fetch("RETR pub/hello.txt")[0] == b"hello\n"
        assert talk.store("STOR incoming/new.txt", b"new").startswith("226")
        assert talk.store("STOR incoming/new.txt", b"other")[:1] in "25"
        assert talk.fetch("RETR incoming/new.txt")[1].startswith("550")
        assert talk.fetch("LIST incoming")[0] == b""
        for command in ("DELE incoming/new.txt", "RNFR incoming/new.txt", "MKD incoming/d"):
            assert talk.code(command) == "550"
        assert talk.store("STOR incoming/.dot", b"").startswith("55")
        assert talk.store("STOR pub/x", b"").startswith("55")
    new = (incoming / "new.txt").stat()
    assert (incoming / "new.txt").read_bytes() == b"new"
    assert stat.S_IMODE(new.st_mode) == 0o600
    owner = SOMEBODY if form in KEEPS else "ftp"
    assert pwd.getpwuid(new.st_uid).pw_name == owner
    assert not (incoming / "d").exists()


@pytest.mark.parametrize(
    ("option", "form", "name"),
    [kind for kind in KINDS if kind[2]],
    ids=[kind[2] for kind in KINDS if kind[2]],
)
def test_hardened_configurations_answer_as_their_daemons_do(
    option: str, form: Form, name: str, tmp_path: Path
) -> None:
    """The rows of behaviour_matrix.tsv in which the hardened daemons agree."""
    require_root()
    if not HARDENED.exists():
        pytest.skip("needs ../shared/servers/hardened")
    root = make_root(tmp_path)
    box(root)
    value = configuration(root, form, (HARDENED / name).read_text())
    with serve(root, option, value, "--root", str(root), "--passive-ports", "61300-61340") as one:
        with one.login() as talk:
            assert talk.store("STOR incoming/n", b"hello").startswith("226")
        with one.login() as talk:
            for command, code in (
                ("DELE incoming/n", "550"),
                ("RNFR incoming/n", "550"),
                ("MKD incoming/d", "550"),
                ("RMD incoming", "550"),
                ("SITE CHMOD 777 incoming/n", "550"),
                ("CWD incoming", "250"),
                ("CWD /", "250"),
                ("CWD ..", "250"),
                ("CWD /../../etc", "550"),
                ("MODE Z", "50"),
                ("PRET RETR x", "5"),
                ("CCC", "5"),
                ("XPWD", "257"),
                ("ALLO 10", "202"),
                ("PORT 127,0,0,2,200,1", "50"),
                ("PORT 127,0,0,1,0,25", "50"),
                ("EPRT |1|127.0.0.2|5000|", "50"),
                ("ABOR", "225"),
            ):
                assert talk.ask(command).startswith(code), command
            assert talk.fetch("RETR incoming/n")[1].startswith("550")
            assert talk.fetch("LIST incoming")[0] == b""
            assert talk.store("STOR /root.txt", b"x").startswith("55")
            assert talk.store("STOR incoming/../pub/x", b"x").startswith("55")
            assert talk.store("STOR incoming/.rhosts", b"x").startswith("55")
            assert talk.store("STOR incoming/n", b"other").startswith("55")
        assert (root / "incoming" / "n").read_bytes() == b"hello"
