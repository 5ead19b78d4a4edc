"""./caisson bench --check: what counts as worse."""
import json

import pytest

from caisson import bench_figures

TOOLS = {"compiler": "gcc 12", "QEMU": "10.0.2"}
OLD = {"a: small": 96.0, "a: large": 500_000.0}


def check(tmp_path, capsys, rows, tools=None, saved=None):
    """Status, and what was said."""
    file = tmp_path / "figures.json"
    file.write_text(bench_figures.text_of(TOOLS, OLD) if saved is None else saved)
    status = bench_figures.check(file, tools or TOOLS, rows)
    said = capsys.readouterr()
    return status, said.out + said.err


def test_the_same_figures_pass(tmp_path, capsys):
    assert check(tmp_path, capsys, OLD) == (0, "2 rows: none is worse than what was saved\n")


def test_a_row_may_be_worse_by_two_per_cent_or_five_instructions(tmp_path, capsys):
    assert check(tmp_path, capsys, {"a: small": 101.0, "a: large": 510_000.0})[0] == 0
    status, said = check(tmp_path, capsys, {"a: small": 101.1, "a: large": 500_000.0})
    assert status == 1 and "a: small: 101.1, was 96.0 (+5.3 %)" in said and "a: large" not in said
    status, said = check(tmp_path, capsys, {"a: small": 96.0, "a: large": 510_001.0})
    assert status == 1 and "a: large: 510,001.0, was 500,000.0 (+2.0 %)" in said


def test_what_has_become_better_is_said(tmp_path, capsys):
    status, said = check(tmp_path, capsys, {"a: small": 80.0, "a: large": 500_000.0})
    assert status == 0 and "a: small: 80.0, was 96.0 (-16.7 %)" in said


def test_a_missing_row_fails(tmp_path, capsys):
    status, said = check(tmp_path, capsys, {"a: small": 96.0})
    assert status == 1 and "a: large: was not measured" in said
    status, said = check(tmp_path, capsys, {**OLD, "b: new": 1.0})
    assert status == 1 and "b: new: there is no figure to compare with" in said


def test_other_tools_are_named_and_do_not_fail(tmp_path, capsys):
    other = {**TOOLS, "QEMU": "7.2.0"}
    status, said = check(tmp_path, capsys, {**OLD, "a: small": 200.0}, other)
    assert status == 0 and "QEMU: 7.2.0, not 10.0.2" in said and "a: small: 200.0" in said
    assert check(tmp_path, capsys, {"a: small": 96.0}, other)[0] == 1


KERNEL = {**TOOLS, "Debian's kernel": "linux-image-1 1.0"}
WITH_DEBIAN = {**OLD, "outside Debian: quiet: sum": 1000.0}


@pytest.mark.parametrize("kernel", ["linux-image-2 2.0", "none"])
def test_another_kernel_loosens_its_own_rows_alone(tmp_path, capsys, kernel):
    saved, other = bench_figures.text_of(KERNEL, WITH_DEBIAN), {**KERNEL, "Debian's kernel": kernel}
    worse = {**WITH_DEBIAN, "outside Debian: quiet: sum": 2000.0}
    assert check(tmp_path, capsys, worse, KERNEL, saved)[0] == 1
    status, said = check(tmp_path, capsys, worse, other, saved)
    assert status == 0 and f"Debian's kernel: {kernel}, not linux-image-1 1.0" in said and "sum: 2,000.0, was 1,000.0" in said
    assert check(tmp_path, capsys, {**worse, "a: small": 200.0}, other, saved)[0] == 1
    assert check(tmp_path, capsys, {**WITH_DEBIAN, "outside Debian: quiet: timer": 5.0}, other, saved)[0] == 0


def test_without_debian_its_rows_may_be_missing(tmp_path, capsys):
    saved, without = bench_figures.text_of(KERNEL, WITH_DEBIAN), {**KERNEL, "Debian's kernel": "none"}
    assert check(tmp_path, capsys, OLD, without, saved)[0] == 0
    status, said = check(tmp_path, capsys, OLD, KERNEL, saved)
    assert status == 1 and "outside Debian: quiet: sum: was not measured" in said
    assert check(tmp_path, capsys, {"a: small": 96.0}, without, saved)[0] == 1


def test_a_file_that_is_not_there_or_has_no_figures_fails(tmp_path, capsys):
    assert bench_figures.check(tmp_path / "none.json", TOOLS, OLD) == 1
    assert "./caisson bench --save" in capsys.readouterr().err
    for bad in ("", "{", "[]", "3", '{"rows": {}}', json.dumps({"holds for": TOOLS, "rows": {"a": "x"}}),
                json.dumps({"holds for": TOOLS, "rows": [1]}), json.dumps({"holds for": 3, "rows": {}})):
        assert check(tmp_path, capsys, OLD, saved=bad)[0] == 1, bad


def test_the_committed_file_can_be_read():
    saved = json.loads(bench_figures.FILE.read_text())
    assert saved.keys() == {"holds for", "rows"} and saved["holds for"].keys() == bench_figures.tools().keys()
    assert len(saved["rows"]) > 90 and all(value >= 0 for value in saved["rows"].values())


def test_only_one_kind_at_a_time(tool):
    result = tool.run("bench", "--check", "--save")
    assert result.returncode == 2 and b"not allowed with" in result.stderr
