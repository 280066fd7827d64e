from __future__ import annotations

import pytest

from ftpfw.errors import HostError
from ftpfw.lab.programs import require_programs


def test_missing_programs_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(HostError) as refused:
        require_programs()
    assert refused.value.mend == "apt-get install vsftpd lftp curl"
