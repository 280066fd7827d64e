from __future__ import annotations

import os

import pytest

from ftpfw.errors import HostError
from ftpfw.lab.programs import require_programs, require_root


def test_root_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(HostError, match="needs root") as refused:
        require_root()
    assert refused.value.exit_code == 1


def test_missing_programs_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(HostError) as refused:
        require_programs()
    assert refused.value.mend == "apt-get install vsftpd lftp curl"
