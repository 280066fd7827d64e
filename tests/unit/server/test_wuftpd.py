import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.errors import ConfigError
from ftpfw.server.options import Standing
from ftpfw.server.settings import Audience, Names, Path, Settings, Syntax
from ftpfw.server.wuftpd.reader import read
from tests.unit.server.facts import errors_of_configuration
from tests.unit.table import table


def settings(text: str) -> Settings:
    return read(text, "ftpaccess").settings


MEANT = [
    ("nobody", "", "anonymous.enabled", False),
    ("anonymous", "class all real,anonymous *", "anonymous.enabled", True),
    ("real", "class all real,anonymous *", "users.enabled", True),
    ("both lines", "class a anonymous *\nclass b guest *", "anonymous.enabled", True),
    ("deletes by default", "", "anonymous.rights.delete", True),
    ("not so", "delete no guest,anonymous", "anonymous.rights.delete", False),
    ("but users", "delete no guest,anonymous", "users.rights.delete", True),
    ("ports", "passive ports 0.0.0.0/0 50000 50100", "passive.ports", range(50000, 50101)),
    ("bounce", "port-allow all 0.0.0.0/0", "active.foreign", Audience.EVERYBODY),
    ("greeting", "greeting text Hello there", "messages.banner", "Hello there"),
    ("welcome", "message /welcome.msg login", "messages.login_file", "/welcome.msg"),
    ("directory", "message .message cwd=*", "messages.directory_file", ".message"),
    ("stalled", "timeout data 60", "timeouts.stalled", 60),
    ("continued", "timeout \\\ndata 60", "timeouts.stalled", 60),
    ("no uploads", "upload /srv/ftp * no", "anonymous.rights.upload", False),
    (
        "drop box",
        "upload /srv/ftp * no\nupload /srv/ftp /incoming yes root nogroup 0600 nodirs",
        "anonymous.drop_box.directories",
        ("/srv/ftp/incoming",),
    ),
    (
        "with options",
        "upload absolute class=x - /srv/ftp /incoming yes root nogroup 0600",
        "anonymous.drop_box.directories",
        ("/srv/ftp/incoming",),
    ),
    ("its owner", "upload /srv/ftp /in yes root x 0600", "anonymous.drop_box.owner", "root"),
    ("hidden", "upload /srv/ftp /in yes root x 0600", "anonymous.drop_box.readable", False),
    (
        "names of files, whatever their directory",
        "path-filter anonymous /msg ^[a-z.]*$",
        "files.allowed_uploads",
        Names("(^|/)[a-z.]*$", Syntax.REGEX),
    ),
    (
        "a part of a name",
        "path-filter anonymous /msg [.]dat",
        "files.allowed_uploads",
        Names("(^|/)[^/]*[.]dat[^/]*$", Syntax.REGEX),
    ),
    ("foreign for some is for nobody", "port-allow a 10.0.0.1", "active.foreign", Audience.NOBODY),
    ("anywhere", "upload /srv/ftp * yes", "anonymous.drop_box.directories", ("/srv/ftp",)),
    (
        "no directories",
        "upload / /in yes a b 0600 nodirs",
        "anonymous.rights.make_directory",
        False,
    ),
]


def test_an_error_in_a_continued_line_shows_its_beginning() -> None:
    with pytest.raises(ConfigError) as caught:
        settings("banner /a\n timeout \\\ndata soon")
    error = caught.value
    assert (error.line, error.text) == (2, " timeout \\")
    assert error.text[slice(*error.span)] == "timeout \\"


@pytest.mark.parametrize(("text", "path", "value"), **table(MEANT))
def test_meaning(text: str, path: Path, value: object) -> None:
    assert settings(text).get(path) == value


def test_it_is_named_with_why_not_to_run_it() -> None:
    (trap,) = read("", "ftpaccess").traps
    assert trap.id == "wu-ftpd"
    assert "convert" in trap.mend


STANDINGS = [
    ("obeyed", "loginfails 3", Standing.OBEYED),
    ("ignored", "compress yes all", Standing.IGNORED),
    ("refused", "limit all 10 Any /msg", Standing.REFUSED),
    ("unknown", "deny !nameserved /msg", Standing.REFUSED),
]


@pytest.mark.parametrize(("text", "standing"), **table(STANDINGS))
def test_standing(text: str, standing: Standing) -> None:
    (one,) = read(text, "ftpaccess").given
    assert one.standing is standing


REFUSED = [
    ("neither", "delete maybe anonymous", 1, "yes or no", "delete no"),
    ("no number", "\nloginfails many", 2, "no number", "digits"),
    ("no range", "passive ports 0.0.0.0/0 2 1", 1, "neither ports", "passive ports"),
    ("upload", "upload /srv/ftp", 1, "upload takes", "nodirs"),
    ("umask", "defumask 9", 1, "no umask", "0177"),
]


@pytest.mark.parametrize(("text", "line", "what", "mend"), **table(REFUSED))
def test_refused(text: str, line: int, what: str, mend: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(text)
    assert caught.value.line == line
    assert what in caught.value.what
    assert mend in (caught.value.mend or "")


@given(st.text())
def test_any_text_is_at_worst_an_error_with_its_line(text: str) -> None:
    with errors_of_configuration() as caught:
        settings(text)
    assert all(error.line and error.mend for error in caught)
