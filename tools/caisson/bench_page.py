"""`./caisson bench --html FILE`: one page with the tables and plots, which needs nothing else."""
import tempfile
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from caisson import VERSION, bench, bench_boot, bench_entry, bench_figures, bench_outside, bench_processes, bench_release, bench_scale, svg
from caisson.errors import UsageError

RIVALS = ("Bao", "Xvisor", "KVM")
# The same work counted in the same way, beforehand: Bao with its PLIC build, Xvisor, KVM of Linux 6.12 with kvmtool.
# None: it does not offer that, or stops the guest.
RIVAL_ROWS: dict[str, tuple[float | None, float | None, float | None]] = {
    "null-call": (245, 742, 945),
    "unknown-call": (32_405, 746, 969),
    "set-timer": (244, 762, 998),
    "stimecmp-write": (3, 3, 3),
    "timer-spinning": (34, 34, 32),
    "timer-wfi": (33, 3_610, 904),
    "cycle-read": (None, 3, 1_025),
    "ipi-self": (4_007, 2_534, 1_585),
    "remote-sfence": (3_823, 4_592, 1_896),
    "remote-fence-i": (3_779, 4_550, 1_911),
    "first-touch": (3, 16, 4_443),
    "first-touch-by-hart": (3, 16, 4_443),
    "uart-read": (None, 1_100, 3_606),
    "plic-read": (286, 1_086, 3_502),
    "device-interrupt": (54_560, None, None),
    "dbcn-write-66": (None, 31_350, 476_000),
    "entry": (742_300, 18_700_000, 1_900_000),
    "entry-by-hart": (742_300, 18_700_000, 1_900_000),
}
_STYLE = """\
:root { color-scheme: light dark }
body { font: 15px/1.5 sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; color: #1a202c; background: #fff }
.wide { overflow-x: auto }
table { border-collapse: collapse; margin: 1rem 0 } th, td { padding: .2rem .6rem; border-bottom: 1px solid #8884; white-space: nowrap }
th, td { text-align: right } th:first-child { text-align: left; font-weight: normal; white-space: normal; min-width: 15rem }
td svg { display: block } .missed { color: #c53030; font-weight: bold }
@media (prefers-color-scheme: dark) { body { color: #e2e8f0; background: #171923 } .missed { color: #fc8181 } }
@media (max-width: 60rem) { td:has(svg), th.plot { display: none } th:first-child { min-width: 8rem } }
@media print {
  @page { size: A4 landscape; margin: 12mm }
  body { font-size: 11px; max-width: none; margin: 0; color: #000; background: #fff; print-color-adjust: exact }
  .wide { overflow: visible } tr, svg, .plots > * { break-inside: avoid } h2 { break-after: avoid } td:has(svg), th.plot { display: none }
}
"""


@dataclass
class Figures:
    """Everything that the page shows."""

    tools: dict[str, str]
    guest: dict[str, dict[str, float]]            # by bench.COLUMNS
    base: dict[str, dict[str, float]] = field(default_factory=dict)
    caisson: dict[str, float] = field(default_factory=dict)   # processes
    linux: dict[str, float] | None = None
    boot: bench_boot.Boot | None = None
    scale: list[bench_scale.Point] = field(default_factory=list)
    outside: dict[str, bench_outside.Outside] | None = None
    entry: list[bench_entry.Phase] | None = None
    before: bench_release.Release | None = None   # the figures of the release before this one

    def change(self, row: str, value: float) -> str:
        """Since then, of a row as the kept figures call it; empty: none, or not known."""
        old = self.before.rows.get(row) if self.before else None
        return f"{100 * (value - old) / old:+.1f} %" if old and abs(value - old) >= 0.0005 * old else ""


def run(file: str) -> int:
    """Measure all and write the page."""
    out = Path(file)
    if not out.parent.is_dir() or out.is_dir():
        raise UsageError(f"--html {file}: " + ("a folder" if out.is_dir() else "no such folder"))
    bench.prepare()
    with tempfile.TemporaryDirectory(prefix="caisson-") as folder:
        figures = _measure(Path(folder))
    try:
        out.write_text(page(figures))
    except OSError as error:
        raise UsageError(f"--html {file}: {error.strerror}") from None
    return 0


def _measure(work: Path) -> Figures:
    program = bench_processes.build(work)
    return Figures(tools=bench_figures.tools(), guest=bench.guest_rows(work), base=bench.base_rows(work),
                   caisson=bench_processes.on_caisson(program), linux=bench_processes.on_linux(work, program),
                   boot=bench_boot.measure(work, bench.init_program(work)), scale=bench_scale.measure(),
                   outside=bench_outside.measure(work, bench.init_program(work)), entry=bench_entry.measure(work, work / "entry.bin"), before=bench_release.before())


def page(figures: Figures) -> str:
    """HTML with everything in it."""
    parts = [_guest(figures), _entry(figures.entry), _boot(figures.boot), _outside(figures.outside), _scale(figures.scale), _processes(figures), _base(figures.base)]
    tools = "; ".join(f"{escape(name)} {escape(value)}" for name, value in figures.tools.items())
    return ("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Caisson: what it costs</title>\n"
            f"<style>\n{_STYLE}</style></head>\n<body>\n<h1>Caisson: what it costs</h1>\n"
            "<p>Instructions executed anywhere, guest, hypervisor and firmware, for one operation; counted by QEMU on one hart, so that "
            f"they repeat exactly. Caisson {VERSION}; {tools}." + (f" Changes are since {escape(figures.before.version)}." if figures.before else "") + "</p>\n" + "\n".join(part for part in parts if part) + "\n</body></html>\n")


def _table(head: list[str], rows: list[list[str]]) -> str:
    """A plot has an empty head; a column that is empty in all rows is not there."""
    used = [i for i in range(len(head)) if any(row[i] for row in rows)]
    lines = ['<div class="wide" tabindex="0"><table><thead><tr>' + "".join(
        f'<th scope="col">{escape(head[i])}</th>' if head[i] else '<th class="plot"><span aria-hidden="true"></span></th>' for i in used) + "</tr></thead><tbody>"]
    for row in rows:
        lines.append("<tr>" + "".join(f'<th scope="row">{row[i]}</th>' if i == 0 else f"<td>{row[i]}</td>" for i in used) + "</tr>")
    return "\n".join(lines) + "</tbody></table></div>"


def _cell(value: float | None, target: float | None = None, whole: bool = False) -> str:
    if value is None:
        return "-"
    text = f"{value:,.0f}" if whole else svg.number(value)
    missed = target is not None and value >= target + 0.5
    return f'<span class="missed" title="above its target">{text} (!)</span>' if missed else text


def _guest(figures: Figures) -> str:
    columns, rows = figures.guest, []
    for row in bench.ROWS:
        ours, bare = columns["caisson"].get(row.key), columns["bare"].get(row.key)
        if ours is None:
            continue
        rivals = RIVAL_ROWS.get(row.key, (None, None, None))
        shown = [("Caisson", ours), *((name, value) for name, value in zip(RIVALS, rivals) if value is not None)]
        rows.append([escape(row.title), _cell(None if row.key == "entry" else bare), _cell(ours, row.target), figures.change(f"guest: {row.key}", ours), _cell(row.target),
                     *map(_cell, rivals),
                     svg.bars(shown, labels=("Caisson", *RIVALS)) if len(shown) > 1 else ""])
    return ("<h2>A guest's operations, beside the rivals</h2>\n<p>One vCPU, with Sstc. The rivals were measured beforehand, in the same way; "
            "the bars are logarithmic. (!): above its target.</p>\n"
            + _table(["operation", "bare", "Caisson", "change", "target", *RIVALS, ""], rows))


def _entry(phases: list[bench_entry.Phase] | None) -> str:
    if not phases:
        return ""
    most, total = max(phase.instructions for phase in phases), sum(phase.instructions for phase in phases)
    rows = [[escape(phase.title), f"{phase.instructions:,}", svg.share(phase.instructions / most)] for phase in phases]
    return ("<h2>Own entry, by phase</h2>\n<p>From the first instruction to the entry of a guest of 64 KiB with 128 MiB of RAM.</p>\n"
            + _table(["phase", "instructions", ""], [*rows, ["all", f"{total:,}", ""]]))


def _boot(boot: bench_boot.Boot | None) -> str:
    if not boot:
        return ""
    causes = sorted((cause for cause in boot.total if boot.total[cause]), key=lambda cause: -boot.total[cause])
    curves = {cause: [(0.0, 0.0), *((float(ms), float(counts.get(cause, 0))) for ms, counts in boot.samples)] for cause in causes[:8]}
    rows = [[f"{ms} ms", *(f"{counts.get(cause, 0):,}" for cause in causes)] for ms, counts in [*boot.samples]]
    rows.append(["at the end", *(f"{boot.total[cause]:,}" for cause in causes)])
    return ("<h2>Exits by cause over Debian's boot</h2>\n<p>From the start of the VM to its init, console=ttyS0.</p>\n"
            + '<div class="wide">' + svg.curves(curves, "exits so far", "milliseconds of the machine's time") + "</div>"
            + "<details><summary>The same in numbers</summary>" + _table(["after", *causes], rows) + "</details>")


def _outside(measured: dict[str, bench_outside.Outside] | None) -> str:
    if not measured:
        return ""
    parts = ["<h2>Executed outside the guest during that boot</h2>\n<p>All instructions of the hypervisor and the firmware from the VM's start "
             "to its end, by a counter that stands still in guests. By cause: from a build that reads it at each exit and takes off what that "
             "takes. &quot;host&quot; is no exit's: other tasks, idle loops, interrupts meanwhile.</p>"]
    for append, outside in measured.items():
        most = max(outside.causes.values())
        rows = [[escape(cause), f"{outside.exits[cause]:,}" if cause in outside.exits else "-", f"{n:,}",
                 f"{n / outside.exits[cause]:,.0f}" if cause in outside.exits else "-", svg.share(n / most)]
                for cause, n in sorted(outside.causes.items(), key=lambda item: -item[1])]
        rows.append(["sum", f"{sum(outside.exits.values()):,}", f"{sum(outside.causes.values()):,}", "", ""])
        rows.append(["by a build that counts nothing else", "", _cell(outside.total, bench_outside.TARGETS[append], whole=True), "", ""])
        rows.append(["target", "", f"{bench_outside.TARGETS[append]:,}", "", ""])
        why = "".join(f"<li>{escape(cause)}: {escape(bench_outside.WHY.get(cause, cause))}.</li>" for cause in outside.largest())
        parts.append(f"<h3>{escape(append)}</h3>" + _table(["cause", "exits", "instructions", "each", ""], rows)
                     + f"<p>The three largest, and why they remain:</p><ol>{why}</ol>")
    return "\n".join(parts)


def _scale(points: list[bench_scale.Point]) -> str:
    if not points:
        return ""
    plots = [svg.curves({"null call": [(p.vms, p.exit) for p in points]}, "instructions for an exit", "VMs", log_across=True),
             svg.curves({"sleep": [(p.vms, p.switch) for p in points if p.switch]}, "instructions for a sleep that gives the hart away",
                        "VMs", log_across=True),
             svg.curves({"VM and vCPU": [(p.vms, p.memory) for p in points]}, "bytes of ours for each VM", "VMs", log_across=True)]
    return ("<h2>Many VMs on two harts</h2>\n<div class=\"wide plots\">" + "\n".join(plots) + "</div>\n"
            + _table(["VMs", "exit", "sleep", "bytes for each"], [list(map(escape, p.cells())) for p in points]))


def _processes(figures: Figures) -> str:
    if not figures.caisson:
        return ""
    rows = []
    for key, title in bench_processes.ROWS.items():
        ours, linux = figures.caisson[key], figures.linux[key] if figures.linux else None
        rows.append([escape(title), _cell(linux), _cell(ours), figures.change(f"processes: {key}", ours),
                     svg.bars([("Caisson", ours), *([("Linux", linux)] if linux else [])], least=100)])
    return ("<h2>Processes, beside Linux</h2>\n<p>The same program on the monolith and on Debian's kernel, both on bare QEMU.</p>\n"
            + _table(["operation", "Linux", "Caisson", "change", ""], rows))


def _base(base: dict[str, dict[str, float]]) -> str:
    if not base:
        return ""
    rows = [[escape(row.title), *(_cell(column.get(row.key)) for column in base.values())] for row in bench.BASE_ROWS]
    return "<h2>The base alone, by scheduling class</h2>\n" + _table(["operation", *(name.upper() for name in base)], rows)
