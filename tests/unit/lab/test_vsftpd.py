from __future__ import annotations

from pathlib import Path

from ftpfw.lab.vsftpd import Site, settings

SITE = Site(Path("/tmp/lab/root"))


def test_nothing_of_it_lives_outside_the_lab() -> None:
    values = settings("192.0.2.10", SITE, Path("/tmp/lab/empty")).values()
    assert {value for value in values if value.startswith("/")} == {
        "/tmp/lab/root",
        "/tmp/lab/empty",
    }


def test_listens_only_where_it_is_told() -> None:
    config = settings("192.0.2.10", SITE, Path("/tmp/lab/empty"))
    assert (config["listen"], config["listen_address"]) == ("YES", "192.0.2.10")
    assert config["background"] == "NO"
