"""Phases of own entry: from what gdb has said to the table, and that the functions they begin with are there."""
import re

from caisson import bench_entry, paths


def said(counts):
    return "Temporary breakpoint 1, main ()\n" + "".join(f"phase {0x80200000 + i} {count}\r\nnoise\n" for i, count in enumerate(counts))


def test_a_phase_is_what_lies_between_two_stops():
    counts = [1_000 + i * i for i in range(len(bench_entry.PHASES) + 1)]
    phases = bench_entry.phases(said(counts))
    assert [phase.instructions for phase in phases] == [2 * i + 1 for i in range(len(bench_entry.PHASES))]
    lines = bench_entry.table(phases).splitlines()
    assert len(lines) == len(phases) + 3 and lines[-1] == f"| all | {counts[-1] - counts[0]:,} |"


def test_a_stop_that_is_missing_makes_no_table():
    assert bench_entry.phases(said(range(len(bench_entry.PHASES)))) is None and bench_entry.phases("") is None
    assert bench_entry.table(None) == ""


def test_every_phase_begins_with_a_function_of_ours():
    sources = "\n".join(path.read_text() for folder in ("core", "arch", "vmm", "apps/hypervisor") for path in (paths.ROOT / folder).rglob("*.[cS]"))
    for name in [*bench_entry.PHASES, bench_entry._END]:
        assert name.startswith("*") or re.search(rf"^(?!static)[a-z].*\b{name}\(|^{name}:", sources, re.MULTILINE), name
