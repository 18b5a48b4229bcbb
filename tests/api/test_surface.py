"""What `import tcpsim` offers: names, the settings of the command line, and one line for a mistake."""

from __future__ import annotations

import os
import pydoc
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest

import tcpsim
from tcpsim.api.settings import OPTIONS, Settings, settings
from tcpsim.cli import COMMANDS
from tcpsim.cli.options import _SETTINGS, setting_options

USER = """
import tcpsim
from tcpsim.steps import close, connect, receive_to_eof, send, wait

slow: tcpsim.Program = tcpsim.Program([connect(), send(100), receive_to_eof(), wait("5min"), close()])
run = tcpsim.run("normal-close", tcpsim.Setting(loss=0.01), client=slow, delay="9ms")
permanent: bool = run.permanent
text: str = run.summary()
answer = tcpsim.exact("one-rst-stack", loss=[0.1, "20%"], delay="5ms")
share: float = answer.permanent[0]
held: int = tcpsim.population("normal-close", rate="5/s", for_="1min", seed=7).leaked
story: tcpsim.Scenario = tcpsim.scenario("normal-close")
rows = tcpsim.sweep(story, {"loss": "0:0.2:3"}, workers=2).table()
names: list[str] = [each.name for each in tcpsim.stacks()]
try:
    tcpsim.compare(story, ["client-closes"])
except tcpsim.InputError as error:
    print(error.where)
"""
WRONG = (
    'tcpsim.run("normal-close", los=0.1)',
    "tcpsim.run(7)",
    'tcpsim.population("normal-close", rate=["5/s"])',
    'tcpsim.exact("normal-close", delay=0.5)',
)


def test_the_names() -> None:
    assert dir(tcpsim) == sorted(dir(tcpsim))
    asked = "run exact check population compare sweep scenario scenarios stack stacks behaviours"
    assert {*asked.split(), "Scenario", "Setting", "Program", "__version__"} <= set(dir(tcpsim))
    for name in dir(tcpsim):
        assert getattr(tcpsim, name).__doc__ or name == "__version__", name


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'simulate'"):
        tcpsim.simulate  # noqa: B018


def test_every_command_is_a_function_of_the_same_name() -> None:
    """Completion is for the shell alone."""
    assert set(COMMANDS) - {"completion"} <= set(dir(tcpsim))
    assert {"record", "compare"} <= set(dir(tcpsim.lab))


def test_help_reads_as_a_page() -> None:
    page = pydoc.render_doc(tcpsim, renderer=pydoc.plaintext)
    assert "Functions that answer a question:" in page
    assert "compare(scenario" in page


def test_the_settings_are_the_fields_of_setting_and_the_options_of_the_command_line() -> None:
    named = {each.name for each in fields(tcpsim.Setting)}
    assert set(get_type_hints(Settings)) == named | {"set", "drop"}

    @setting_options
    def command() -> None:
        """Takes every option."""

    options = {each.name for each in command.__click_params__}  # type: ignore[attr-defined]
    assert options == named
    assert len(_SETTINGS) == len(named)
    assert set(OPTIONS.values()) < named


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"los": 0.1}, r"setting: found 'los' \(did you mean loss"),
        ({"drop": "server FIN 1", "drops": ["client FIN 1"]}, "drops: found drops beside it"),
        ({"loss": 0.1, "loss_to_client": 0.2}, "loss_to_client: found 0.2 beside loss 0.1"),
    ],
)
def test_a_wrong_setting_is_one_line(given: dict[str, object], complaint: str) -> None:
    with pytest.raises(tcpsim.InputError, match=complaint):
        settings(given)


def test_a_setting_and_keywords_lie_on_each_other() -> None:
    base = tcpsim.Setting(loss=0.1, delay="5ms")
    assert settings({"delay": "9ms", "set": {"hz": 100}}, base) == {
        "loss": 0.1,
        "delay": "9ms",
        "knobs": {"hz": 100},
    }


def test_a_users_program_passes_mypy_strict(tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(USER)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "user.py"]
    found = {**os.environ, "MYPYPATH": str(Path(tcpsim.__file__).parents[1])}
    done = subprocess.run(command, cwd=tmp_path, env=found, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    (tmp_path / "user.py").write_text("\n".join(["import tcpsim", *WRONG]))
    done = subprocess.run(command, cwd=tmp_path, env=found, capture_output=True, text=True, check=False)
    lines = {line.split(":")[1] for line in done.stdout.splitlines() if ": error:" in line}
    assert lines == {str(number) for number in range(2, 2 + len(WRONG))}, done.stdout


def test_a_scenario_is_a_name_a_file_or_itself(tmp_path: Path) -> None:
    story = tcpsim.scenario("closewait-ignored-eof")
    again = tcpsim.run(story)
    assert again.events == tcpsim.run("closewait-ignored-eof").events
    from tcpsim.catalogue import as_toml

    (tmp_path / "mine.toml").write_text(as_toml(story))
    assert tcpsim.run(tmp_path / "mine.toml").events == again.events
    with pytest.raises(tcpsim.InputError, match=r"scenario: found 7, allowed: a name, the path of a"):
        tcpsim.run(7)  # type: ignore[arg-type]
    with pytest.raises(tcpsim.InputError, match="a workload, allowed: tcpsim exhaust mbufs-without"):
        tcpsim.run("mbufs-without-a-timer")
