"""H15: a VM does its work, in the same time of its own, whatever its neighbour does to the hart that they share.

Under --icount on one hart everything is counted, so that nothing here depends on the machine below. The worker's time
is that of its vCPU on the hart, which the log tells at its end (vm_log_use).
"""
import re

import pytest

from machines import CAISSON, guest, kill_all, start, wait_for_text, wait_until

ROUNDS = 800
# Exits that only the VM itself can cause. The others (interrupts of the host) come with sharing a hart.
OWN_EXITS = ("ecall", "mmio-read", "mmio-write", "ram-fault", "bad-access", "virtual-insn", "other")
STORMS = [("console", 1), ("ipi-self", 1), ("ipi", 2), ("fence", 2), ("timer", 1), ("timer-wfi", 1), ("exits", 1),
          ("wfi", 1), ("touch", 1), ("access", 1), ("reboot", 1), ("hang", 1), ("illegal", 1), ("lost", 1), ("off", 1)]


def used(log: str, name: str) -> dict[str, int] | None:
    """What the log says that VM used, if it has ended: microseconds, and exits by cause."""
    found = re.search(rf" vm: {name}: used (\d+) us on harts; exits: (.*)\n", log)
    if not found:
        return None
    return {"us": int(found[1]), **{kind: int(n) for kind, n in (word.split("=") for word in found[2].split())}}


def worked(files: list[str], log, *words) -> tuple[list[str], dict[str, int]]:
    """Run these VMs until `work` has ended; its lines, and what it used."""
    out = log.with_suffix(".out")
    with open(out, "wb") as file:
        child = start([CAISSON, "run", "--batch", "--icount", "--harts", "1", "--log", log, *words, *files], stdout=file)
    try:
        text = wait_for_text(out, f"worked {ROUNDS} rounds", child)
        use = wait_until(lambda: used(log.read_text(errors="replace"), "work"), lambda: log.read_text(errors="replace")[-2000:])
    finally:
        kill_all(child)
    return [line.removeprefix("[work] ") for line in text.splitlines() if not line.startswith("[bad] ")], use


@pytest.fixture
def worker(toml):
    return toml("work", kernel=guest("storm"), append=f"do=work rounds={ROUNDS}", memory="16M")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What the worker says and uses with nobody beside it."""
    path = tmp_path_factory.mktemp("alone")
    file = path / "work.toml"
    file.write_text(f'name = "work"\nkernel = "{guest("storm")}"\nappend = "do=work rounds={ROUNDS}"\nmemory = "16M"\n')
    lines, use = worked([str(file)], path / "log")
    assert lines[-1] == f"worked {ROUNDS} rounds" and len(lines) == 2 + ROUNDS // 100
    return lines, use


@pytest.mark.parametrize("storm, cpus", [pytest.param(*storm, id=f"H15-{storm[0]}") for storm in STORMS])
def test_work_beside_a_storm(alone, worker, toml, tmp_path, storm, cpus):
    bad = toml("bad", kernel=guest("storm"), append=f"do={storm}", memory="64M", cpus=cpus)
    lines, use = worked([worker, bad], tmp_path / "log")
    assert lines == alone[0]
    assert abs(use["us"] - alone[1]["us"]) < alone[1]["us"] / 100, "less than 1 % of its own time"
    assert {kind: use[kind] for kind in OWN_EXITS} == {kind: alone[1][kind] for kind in OWN_EXITS}
