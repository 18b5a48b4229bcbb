"""Results on disk: the formats, and that a failure leaves nothing behind."""

import json
import sys
from pathlib import Path

import pytest

import tcpsim
from tcpsim.errors import InputError
from tcpsim.measure.results import Table, read_csv, read_table, whole_or_nothing, write_table

TABLE = Table({"loss": [0.0, 0.3], "leaked": [0, 17], "who": ["poller", "sleeper"]})


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_table(TABLE, path)
    assert read_csv(path) == TABLE
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_json_and_parquet_hold_the_same_rows(tmp_path: Path) -> None:
    for suffix in (".json", ".parquet"):
        write_table(TABLE, tmp_path / f"table{suffix}")
    assert json.loads((tmp_path / "table.json").read_text()) == TABLE.rows()
    polars = pytest.importorskip("polars")
    assert polars.read_parquet(tmp_path / "table.parquet").to_dicts() == TABLE.rows()


def test_parquet_without_polars_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(InputError, match=r"polars is not installed, allowed: pip install 'tcpsim\[tables\]'"):
        write_table(TABLE, tmp_path / "table.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_table_becomes_what_is_asked_for() -> None:
    assert TABLE.to("rows") == TABLE.rows()
    assert pytest.importorskip("polars").DataFrame.equals(TABLE.to("polars"), TABLE.to("polars"))
    with pytest.raises(InputError, match="allowed: rows, polars, pandas, xarray"):
        TABLE.to("arrow")


def test_columns_have_one_length() -> None:
    with pytest.raises(InputError, match="columns of one length"):
        Table({"a": [1], "b": [1, 2]})


def test_a_column_that_begins_empty_is_read_back(tmp_path: Path) -> None:
    table = Table({"t_s": [*[None] * 500, 0.5]})
    write_table(table, tmp_path / "table.csv")
    assert read_csv(tmp_path / "table.csv") == table


def test_a_number_keeps_its_digits_wherever_its_point_is(tmp_path: Path) -> None:
    """A probability of 1e-20 is not 0; rounding errors behind the twelfth digit are not shown."""
    written, read = [1.25e-20, 0.1 + 0.2, 1 / 3, 60.0, None], [1.25e-20, 0.3, 0.333333333333, 60.0, None]
    write_table(Table({"probability": written}), tmp_path / "table.csv")
    assert read_csv(tmp_path / "table.csv")["probability"] == read


def test_the_same_table_is_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        write_table(TABLE, tmp_path / name)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def write_half(path: Path) -> None:
    with whole_or_nothing(path) as partial:
        partial.write_text("half a tab")
        raise RuntimeError("power cut")


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_table(TABLE, path)
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match="power cut"):
        write_half(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.csv"]


def test_an_unknown_suffix_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.xls.*allowed: a name that ends in \.csv or \.json or \.parquet"):
        write_table(TABLE, tmp_path / "table.xls")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_directory_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file or directory"):
        write_table(TABLE, tmp_path / "absent" / "table.csv")


def test_a_directory_in_the_way_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "table.csv").mkdir()
    with pytest.raises(InputError, match="output"):
        write_table(TABLE, tmp_path / "table.csv")
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.csv"]


def test_a_saved_sweep_can_be_read_again_and_other_json_is_refused(tmp_path: Path) -> None:
    path = tcpsim.sweep("one-rst-stack", {"loss": [0.0, 0.1]}).save(tmp_path / "sweep.json")
    assert {row["loss"] for row in read_table(path).rows()} == {0.0, 0.1}
    for content in ('{"a": 1}', "[1]", "{"):
        path.write_text(content)
        with pytest.raises(InputError) as raised:
            read_table(path)
        assert "\n" not in str(raised.value)
