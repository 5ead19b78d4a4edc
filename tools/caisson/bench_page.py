"""`./caisson bench --html FILE`: one page with the tables and plots, which needs nothing else."""
import tempfile
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from caisson import bench, bench_boot, bench_figures, bench_processes, bench_scale, svg
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
    "uart-read": (None, 1_100, 3_606),
    "plic-read": (286, 1_086, 3_502),
    "device-interrupt": (54_560, None, None),
    "dbcn-write-66": (None, 31_350, 476_000),
    "entry": (742_300, 18_700_000, 1_900_000),
}
_STYLE = """\
body { font: 15px/1.5 sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #1a202c; background: #fff }
table { border-collapse: collapse; margin: 1rem 0 } th, td { padding: .2rem .7rem; border-bottom: 1px solid #8884 }
td + td, th + th { text-align: right } td:last-child svg { display: block } .missed { color: #c53030; font-weight: bold }
@media (prefers-color-scheme: dark) { body { color: #e2e8f0; background: #171923 } }
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
                   boot=bench_boot.measure(work, bench.init_program(work)), scale=bench_scale.measure())


def page(figures: Figures) -> str:
    """HTML with everything in it."""
    parts = [_guest(figures.guest), _boot(figures.boot, figures.guest["caisson"]), _scale(figures.scale), _processes(figures), _base(figures.base)]
    tools = "; ".join(f"{escape(name)} {escape(value)}" for name, value in figures.tools.items())
    return ("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Caisson: what it costs</title>\n"
            f"<style>\n{_STYLE}</style></head>\n<body>\n<h1>Caisson: what it costs</h1>\n"
            "<p>Instructions executed anywhere, guest, hypervisor and firmware, for one operation; counted by QEMU on one hart, so that "
            f"they repeat exactly. {tools}.</p>\n" + "\n".join(part for part in parts if part) + "\n</body></html>\n")


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["<table><tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows]
    return "\n".join(lines) + "</table>"


def _cell(value: float | None, target: float | None = None) -> str:
    if value is None:
        return "-"
    missed = target is not None and value >= target + 0.5
    return f'<span class="missed">{svg.number(value)}</span>' if missed else svg.number(value)


def _guest(columns: dict[str, dict[str, float]]) -> str:
    rows = []
    for row in bench.ROWS:
        ours, bare = columns["caisson"].get(row.key), columns["bare"].get(row.key)
        if ours is None:
            continue
        rivals = RIVAL_ROWS.get(row.key, (None, None, None))
        shown = [("Caisson", ours), *((name, value) for name, value in zip(RIVALS, rivals) if value is not None)]
        rows.append([escape(row.title), _cell(None if row.key == "entry" else bare), _cell(ours, row.target), _cell(row.target), *map(_cell, rivals),
                     svg.bars(shown) if len(shown) > 1 else ""])
    return ("<h2>A guest's operations, beside the rivals</h2>\n<p>One vCPU, with Sstc. The rivals were measured beforehand, in the same way; "
            "the bars are logarithmic. Red: above its target.</p>\n"
            + _table(["operation", "bare", "Caisson", "target", *RIVALS, ""], rows))


# What one exit of a cause costs, by the row that is most like it. RAM is backed by 512 pages at a touch.
_LIKE = {"mmio-read": ("uart-lsr-read", 1), "mmio-write": ("uart-read", 1), "ecall": ("set-timer", 1), "timer": ("timer-spinning", 1),
         "ram-fault": ("first-touch", 512)}


def _boot(boot: bench_boot.Boot | None, ours: dict[str, float]) -> str:
    if not boot:
        return ""
    causes = sorted(boot.total, key=lambda cause: -boot.total[cause])
    curves = {cause: [(0.0, 0.0), *((float(ms), float(counts.get(cause, 0))) for ms, counts in boot.samples)] for cause in causes[:8]}
    costs = {cause: boot.total[cause] * ours[row] * times for cause, (row, times) in _LIKE.items() if cause in boot.total and row in ours}
    rows = [[escape(cause), f"{boot.total[cause]:,}", _cell(costs.get(cause))] for cause in causes]
    rows.append(["all", f"{sum(boot.total.values()):,}", _cell(sum(costs.values()))])
    return ("<h2>Exits by cause over Debian's boot</h2>\n<p>From the start of the VM to its init, console=ttyS0. The instructions are "
            "about right: an exit is taken to cost what the row above that is most like it costs.</p>\n"
            + svg.curves(curves, "exits so far", "milliseconds of the machine's time")
            + _table(["cause", "exits", "instructions, about"], rows))


def _scale(points: list[bench_scale.Point]) -> str:
    if not points:
        return ""
    plots = [svg.curves({"null call": [(p.vms, p.exit) for p in points]}, "instructions for an exit", "VMs", log_across=True),
             svg.curves({"sleep": [(p.vms, p.switch) for p in points if p.switch]}, "instructions for a sleep that gives the hart away",
                        "VMs", log_across=True),
             svg.curves({"VM and vCPU": [(p.vms, p.memory) for p in points]}, "bytes of ours for each VM", "VMs", log_across=True)]
    return ("<h2>Many VMs on two harts</h2>\n" + "\n".join(plots)
            + _table(["VMs", "exit", "sleep", "bytes for each"], [list(map(escape, p.cells())) for p in points]))


def _processes(figures: Figures) -> str:
    if not figures.caisson:
        return ""
    rows = []
    for key, title in bench_processes.ROWS.items():
        ours, linux = figures.caisson[key], figures.linux[key] if figures.linux else None
        rows.append([escape(title), _cell(linux), _cell(ours),
                     svg.bars([("Caisson", ours), *([("Linux", linux)] if linux else [])], least=100)])
    return ("<h2>Processes, beside Linux</h2>\n<p>The same program on the monolith and on Debian's kernel, both on bare QEMU.</p>\n"
            + _table(["operation", "Linux", "Caisson", ""], rows))


def _base(base: dict[str, dict[str, float]]) -> str:
    if not base:
        return ""
    rows = [[escape(row.title), *(_cell(column.get(row.key)) for column in base.values())] for row in bench.BASE_ROWS]
    return "<h2>The base alone, by scheduling class</h2>\n" + _table(["operation", *(name.upper() for name in base)], rows)
