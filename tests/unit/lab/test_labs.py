"""The folder labs/: every exercise can be read, and its README goes with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ftpfw.cli import commands
from ftpfw.lab.exercise import Exercise
from ftpfw.lab.library import exercises, find, folder
from ftpfw.ruleset.policy_file import read_policy

EXERCISES = exercises()
SECTIONS = ("## Aim", "## Drawing", "## Commands", "## What you should see", "## Questions")


def readme(exercise: Exercise) -> str:
    return (Path(exercise.folder) / "README.md").read_text(encoding="utf-8")


def test_the_course_has_an_order() -> None:
    orders = [exercise.order for exercise in EXERCISES]
    assert len(set(orders)) == len(orders) >= 14


def test_the_index_lists_them_in_their_order() -> None:
    index = (folder() / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\(([a-z0-9-]+)/README\.md\)", index)
    assert [name for name in linked if name != "vagrant"] == [one.name for one in EXERCISES]


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda one: one.name)
class TestEach:
    def test_sections_of_the_readme(self, exercise: Exercise) -> None:
        text = readme(exercise)
        places = [text.find(f"\n{section}\n") for section in SECTIONS]
        assert min(places) > 0, dict(zip(SECTIONS, places, strict=True))
        assert places == sorted(places)

    def test_the_drawing_names_hosts_and_addresses(self, exercise: Exercise) -> None:
        text = readme(exercise)
        drawing = text[text.index("## Drawing") : text.index("## Commands")]
        for host in exercise.topology.hosts:
            assert host.name in drawing
            for interface in host.interfaces:
                for address in interface.addresses:
                    assert str(address.ip) in drawing, f"{host.name} {address}"

    def test_questions_have_answers(self, exercise: Exercise) -> None:
        text = readme(exercise)
        part = text[text.index("## Questions") :]
        assert part.count("<summary>") == part.count("</details>") >= 3

    def test_commands_exist(self, exercise: Exercise) -> None:
        blocks = "".join(re.findall(r"```sh\n(.*?)```", readme(exercise), re.DOTALL))
        pattern = r"^(?:sudo )?(?:\.venv/bin/)?ftpfw (.+?)\s*(?:#.*)?$"
        named = re.findall(pattern, blocks, re.MULTILINE)
        assert any(words.startswith(f"lab run {exercise.name}") for words in named)
        for words in named:
            group = commands.get_command(None, words.split()[0])  # type: ignore[arg-type]
            assert group is not None, words
            assert group.get_short_help_str()

    def test_every_column_and_step_is_used(self, exercise: Exercise) -> None:
        used = {name for step in exercise.steps for name in step.expected}
        assert used == {column.name for column in exercise.columns}
        assert all(step.teaches for step in exercise.steps)
        titles = [step.title for step in exercise.steps if step.title != "the session goes on"]
        assert len(set(titles)) == len(titles)

    def test_policies_are_policies(self, exercise: Exercise) -> None:
        for column in exercise.columns:
            for host, policy in exercise.policies.items():
                gateway = read_policy(column.fill(policy), "gateway.toml").gateway
                there = {one.name for one in exercise.topology.host(host).interfaces}
                assert {*gateway.inside, gateway.outside} <= there


def test_the_grounds_of_the_matrix_can_be_read() -> None:
    grounds = [find(str(path.parent)) for path in (folder() / "matrix").glob("*/exercise.toml")]
    assert len(grounds) == 4
    assert all(len(ground.services) == 4 for ground in grounds)
