"""What is executed outside Debian: the table and the rows that are kept, from what the log says."""
from caisson import bench_outside
from caisson.bench_outside import Outside

PLAIN = Outside(8_000_000, {"mmio-write": 5_000_000, "ram-fault": 2_000_000, "mmio-read": 900_000, "host": 4_000},
                {"mmio-write": 10_000, "ram-fault": 20, "mmio-read": 9_000})
QUIET = Outside(500_000, {"ram-fault": 480_000, "host": 4_000, "timer": 10_000}, {"ram-fault": 20, "timer": 10})
MEASURED = {"console=ttyS0": PLAIN, "console=ttyS0 quiet": QUIET}


def test_the_three_largest_come_first():
    assert PLAIN.largest() == ["mmio-write", "ram-fault", "mmio-read"] and QUIET.largest(1) == ["ram-fault"]


def test_the_table_has_each_cause_and_what_is_above_its_target():
    lines = bench_outside.table(MEASURED).splitlines()
    assert lines[2] == "| mmio-write | 5,000,000 | 10,000 | 500 | 0 | - | - |"
    assert "| 8,000,000 | 19,020 | | 500,000 (!) | 30 | |" in lines[-2] and "| 15,000,000 | | | 400,000 | | |" in lines[-1]
    assert len({line.count("|") for line in lines}) == 1
    assert any(line.startswith("| timer |") for line in lines)
    assert bench_outside.table(None) == ""


def test_rows_that_are_kept_have_the_sum():
    rows = bench_outside.rows(MEASURED)
    assert rows["console=ttyS0: sum"] == 7_904_000 and rows["console=ttyS0 quiet: ram-fault"] == 480_000
    assert len(rows) == 9


def test_each_cause_of_debian_s_has_its_reason():
    assert PLAIN.causes.keys() | QUIET.causes.keys() <= bench_outside.WHY.keys()


def test_without_totals_none_is_shown():
    line = bench_outside.table({"console=ttyS0": Outside(None, PLAIN.causes, PLAIN.exits)}).splitlines()[-2]
    assert "| - | 19,020 | |" in line
