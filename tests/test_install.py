"""What a user installs: the wheel in a bare environment, what the sdist holds, and what a command loads."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MIB = 1024 * 1024

COMMANDS = (
    ["--version"],
    ["--help"],
    ["scenarios"],
    ["states"],
    ["stacks", "linux", "--explain", "fin_wait_2"],
    ["run", "closewait-ignored-eof", "--stack-server", "rfc9293"],
    ["run", "closewait-ignored-eof", "--out", "ladder.svg"],
    ["compare", "closewait-ignored-eof", "--fix", "keepalive=10min"],
    ["exact", "one-rst-stack", "--loss", "0.05", "--csv", "leaks.csv"],
    ["population", "closewait-ignored-eof", "--rate", "5", "--for", "1min", "--csv", "census.csv"],
    ["explain", "closewait-ignored-eof", "--json"],
    ["completion", "bash"],
)

# What a command may load besides the standard library; a new name here is a slower start for everybody.
LOADS = {
    ("--help",): {"click"},
    ("run", "normal-close"): {"click"},
    ("compare", "closewait-ignored-eof"): {"click"},
    ("states",): {"click"},
    ("stacks",): {"click"},
    ("behaviours",): {"click"},
    ("diagnose", "tests/data/diagnose/healthy.txt"): {"click"},
    ("explain", "normal-close"): {"click"},
    ("exact", "one-rst-stack", "--loss", "0.05", "--limit", "100"): {"click", "networkx", "numpy"},
}
NEVER_WITH_HELP = ("tcpsim.tcp", "tcpsim.catalogue", "tcpsim.api")


def loaded(code: str) -> set[str]:
    """The modules that a fresh interpreter has after running `code`, whatever that prints."""
    program = (
        f"import atexit, sys\natexit.register(lambda: print(*sorted(sys.modules), file=sys.stderr))\n{code}"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 2), done.stderr
    return set(done.stderr.splitlines()[-1].split())


def third_parties(modules: set[str]) -> set[str]:
    tops = {name.split(".")[0] for name in modules}
    ours = {"tcpsim", "__main__", "__mp_main__"}
    from_site = {
        name for name in tops if name.startswith(("__editable__", "_distutils_hack", "sitecustomize"))
    }
    return tops - set(sys.stdlib_module_names) - ours - from_site


@pytest.mark.parametrize("words", LOADS, ids=" ".join)
def test_a_command_loads_what_it_uses(words: tuple[str, ...]) -> None:
    found = loaded(f"from tcpsim.cli import main\nmain({list(words)!r})")
    assert third_parties(found) <= LOADS[words]
    if words == ("--help",):
        assert not [name for name in found if name.startswith(NEVER_WITH_HELP)]


def test_the_surface_loads_nothing_before_it_is_used() -> None:
    found = loaded("import tcpsim\ndir(tcpsim)")
    assert third_parties(found) == set()
    assert {name for name in found if name.startswith("tcpsim")} == {"tcpsim"}


@pytest.mark.parametrize("module", ["tcpsim.explore.chain", "tcpsim.draw.ladder", "tcpsim.draw.event_text"])
def test_what_explores_and_tells_needs_the_standard_library_only(module: str) -> None:
    assert third_parties(loaded(f"import {module}")) == set()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist of what git knows."""
    where = tmp_path_factory.mktemp("built")
    source = where / "source"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("builds from a git checkout: git does not know this folder")
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(where), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return where


def test_the_sdist_holds_tests_docs_and_experiments(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    known = ("tests/test_readme.py", "tests/data/kernel/README.md", "docs/cli.md", "experiments/__main__.py")
    assert {*known, "Makefile", "figures/leaks_against_loss.svg"} <= names


def test_the_wheel_holds_the_package_and_its_data_only(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"tcpsim"}
    assert "tcpsim/tcp/stacks/linux.toml" in names
    assert "tcpsim/py.typed" in names


@pytest.fixture(scope="module")
def bare(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel and what it requires, and nothing else."""
    home = tmp_path_factory.mktemp("bare") / "env"
    venv.create(home, with_pip=True)
    (wheel,) = built.glob("*.whl")
    command = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*command, str(wheel)], capture_output=True, text=True, check=False)
    if done.returncode and "No matching distribution" in done.stderr + done.stdout:
        pytest.skip("needs a package index for what tcpsim requires: none was reached")
    assert done.returncode == 0, done.stderr[-2000:]
    return home


def test_the_wheel_works_in_a_bare_environment(bare: Path, tmp_path: Path) -> None:
    path = os.pathsep.join([str(bare / "bin"), os.environ["PATH"]])
    plain = {**os.environ, "PATH": path, "NO_COLOR": "1", "PYTHONPATH": ""}
    for words in COMMANDS:
        done = subprocess.run(
            ["tcpsim", *words], cwd=tmp_path, env=plain, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), words
    assert {path.name for path in tmp_path.iterdir()} == {"ladder.svg", "leaks.csv", "census.csv"}
    asked = ["python", "-m", "tcpsim", "population", "w1", "--rate", "1", "--for", "1s", "--csv", "x.parquet"]
    done = subprocess.run(asked, cwd=tmp_path, env=plain, capture_output=True, text=True, check=False)
    said = "tcpsim: --csv: found polars is not installed, allowed: pip install 'tcpsim[tables]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


def test_the_installed_size_is_bounded(bare: Path) -> None:
    packages = next((bare / "lib").glob("python*/site-packages"))
    kept = [path for path in packages.rglob("*") if path.is_file() and "pip" not in path.parts[-3:]]
    size = sum(path.stat().st_size for path in kept if "/pip/" not in str(path))
    assert size <= 240 * MIB, f"{size / MIB:.0f} MiB"
