"""The program, called in this process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tcpsim import cli


@pytest.fixture
def tcpsim(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """The program in this process: status, stdout, stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ending:
            cli.main(arguments)
        out, err = capsys.readouterr()
        return int(ending.value.code or 0), out, err

    return call
