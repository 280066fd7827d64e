"""pyftpdlib's own functional tests, of the version that is installed, against our handler."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .netns import require_root
from .sockets import PACE

VERSION = importlib.metadata.version("pyftpdlib")
SOURCES = Path(sys.prefix) / f"pyftpdlib-{VERSION}"
HERE = Path(__file__).parent
NEEDED = ("OpenSSL", "psutil")


def test_pyftpdlibs_own_tests(tmp_path: Path) -> None:
    """Who has to pass and who to fail is in the plugin."""
    require_root()
    if PACE != 1:
        pytest.skip("its times of a tenth of a second need a machine that is not slowed down")
    if not (SOURCES / "tests").is_dir():
        pytest.skip(f"needs the tests of pyftpdlib {VERSION} in {SOURCES}: make setup-tests")
    for module in NEEDED:
        pytest.importorskip(module)
    shutil.copytree(SOURCES / "tests", tmp_path / "tests")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-p", "pyftpdlib_plugin", "--tb=line", "--rootdir", str(tmp_path)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [*command, "tests/test_functional.py", "tests/test_functional_ssl.py"],
        cwd=tmp_path,
        env={**kept, "PYTHONPATH": os.pathsep.join(map(str, (HERE, HERE.parents[1])))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
