"""The state directory: who runs, what is loaded, and who may change it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from ftpfw.errors import HostError
from ftpfw.helper import state as state_module
from ftpfw.helper.state import Loaded, State, network_namespace


@pytest.fixture
def state(tmp_path: Path) -> State:
    made = State(tmp_path / "state")
    made.create()
    return made


def loaded_here() -> Loaded:
    return Loaded("/etc/gateway.toml", "", "borrowed", "legacy", [21], network_namespace(), 0.0)


def test_nothing_is_loaded_at_first(state: State) -> None:
    assert state.loaded() is None
    assert state.helper_pid() is None


def test_what_was_loaded_is_remembered(state: State) -> None:
    state.set_loaded(loaded_here())
    assert state.loaded() == loaded_here()


def test_a_gateway_of_another_network_namespace_is_refused(state: State) -> None:
    state.set_loaded(replace(loaded_here(), netns=1))
    with pytest.raises(HostError, match="another network namespace"):
        state.loaded()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"policy": 1}', "\x00"])
def test_a_damaged_record_is_an_error_in_words(state: State, text: str) -> None:
    (state.directory / "loaded.json").write_text(text)
    with pytest.raises(HostError, match="damaged"):
        state.loaded()


def test_a_record_of_an_earlier_ftpfw_is_an_error_in_words(state: State) -> None:
    record = asdict(loaded_here()) | {"digest": "0"}
    (state.directory / "loaded.json").write_text(json.dumps(record))
    with pytest.raises(HostError, match="damaged"):
        state.loaded()


def test_a_helper_is_known_while_it_lives(state: State) -> None:
    with state.own_pid_file():
        assert state.helper_pid() == os.getpid()
    assert state.helper_pid() is None
    assert not state.pid_file.exists()


def test_a_pid_left_by_a_dead_helper_is_nobodys(state: State) -> None:
    state.pid_file.write_text("1")
    assert state.helper_pid() is None


def test_a_second_helper_is_refused(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "LOCK_TRIES", 2)
    with (
        state.own_pid_file(),
        pytest.raises(HostError, match=rf"runs already .*\(pid {os.getpid()}\)"),
        state.own_pid_file(),
    ):
        pass
    assert not state.pid_file.exists()


def test_one_change_at_a_time(state: State) -> None:
    with state.changing(), pytest.raises(HostError, match="at work"), state.changing():
        pass


def test_a_directory_without_state_goes(state: State) -> None:
    with state.changing():
        state.set_loaded(loaded_here())
    assert state.loaded() is not None
    with state.changing():
        state.remove()
    assert not state.directory.exists()


def test_what_is_not_ours_stays(state: State) -> None:
    (state.directory / "notes.txt").write_text("mine")
    with state.changing():
        state.remove()
    assert (state.directory / "notes.txt").read_text() == "mine"


def test_a_state_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    state = State(tmp_path / "state")
    for look in (state.loaded, state.helper_pid, state.create):
        with pytest.raises(HostError) as error:
            look()
        assert "FTPFW_STATE_DIR" in (error.value.mend or "")
