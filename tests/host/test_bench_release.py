"""Figures of releases: which one is before this one, and files that are none."""
import json

import pytest

from caisson import VERSION, bench_figures, bench_release
from caisson.errors import CannotStart


def saved(folder, *versions):
    for version in versions:
        (folder / f"{version}.json").write_text(bench_figures.text_of({"compiler": "gcc"}, {"a: b": float(len(version))}))


def test_the_newest_older_one_counts_by_number(tmp_path):
    saved(tmp_path, "0.2.0", "0.10.0", "0.9.1", "1.0")
    (tmp_path / "notes.json").write_text("?")
    assert bench_release.before("0.10.0", tmp_path).version == "0.9.1"
    assert bench_release.before("0.10.1", tmp_path) == bench_release.Release("0.10.0", {"a: b": 6.0})
    assert bench_release.before("2", tmp_path).version == "1.0"


def test_the_first_release_has_none_before_it(tmp_path):
    assert bench_release.before("0.1.0", tmp_path) is None and bench_release.before("0.1.0", tmp_path / "none") is None
    saved(tmp_path, "0.1.0", "0.2.0")
    assert bench_release.before("0.1.0", tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", '{"rows": [1]}', json.dumps({"rows": {"a": "x"}}), json.dumps({"rows": {"a": None}})])
def test_a_file_without_figures_is_named(tmp_path, text):
    (tmp_path / "0.1.json").write_text(text)
    with pytest.raises(CannotStart, match=r"0\.1\.json: these are no figures"):
        bench_release.before("0.2", tmp_path)


def test_the_version_of_the_tree_has_its_file():
    assert bench_release.file_of(VERSION).exists(), f"./caisson bench --release has not been run for {VERSION}"
    rows = bench_release.read(VERSION).rows
    assert len(rows) > 90 and all(value >= 0 for value in rows.values())


def test_the_monitor_names_the_same_version():
    kconfig = (bench_figures.paths.ROOT / "shell" / "Kconfig").read_text()
    assert f'default "{VERSION}"' in kconfig
