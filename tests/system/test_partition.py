"""H9: a VM whose harts are its own (`exclusive = true`), beside busy neighbours; counts, never times."""
import json
import re

import pytest

from machines import ROOT, batch, guest
from prompt import end_of_run, to_monitor

PERIODS = 400
ENDS = ["wait rt shutdown"]


@pytest.fixture
def partitioned(toml, tmp_path):
    """The guest `rt` with a hart of its own, and a busy one with more CPUs than harts; a script ends them."""
    def run(neighbour: str | None, *lines: str, harts: int = 2, words: tuple = (), rt: dict | None = None,
            cpus: int = 4, data: bytes | None = None):
        vms = [toml("rt", **{"kernel": guest("jitter"), "append": f"periods={PERIODS}", "memory": "16M", "harts": [1],
                             "exclusive": True, **(rt or {})})]
        if neighbour:
            vms.append(toml("busy", kernel=guest("storm"), append=f"do={neighbour}", memory="32M", cpus=cpus))
        script, log = tmp_path / "script", tmp_path / "log"
        script.write_text("\n".join([*lines, "poweroff"]) + "\n")
        result = batch("--harts", harts, "--log", log, "--script", script, *words, *vms, data=data)
        return result, log.read_text(errors="replace")

    return run


def own_harts(log: str, name: str = "rt") -> dict[int, tuple[int, int]]:
    """hart -> task switches and timer interrupts while it was the VM's own and the VM ran."""
    found = re.findall(rf"vm: {name}: hart (\d+) was its own: (\d+) task switches, (\d+) timer interrupts", log)
    return {int(hart): (int(switches), int(ticks)) for hart, switches, ticks in found}


def exits(log: str, name: str = "rt") -> dict[str, int]:
    """What the VM was left for, from its start to its end; all starts together."""
    counts: dict[str, int] = {}
    for text in re.findall(rf"vm: {name}: used \d+ us on harts; exits:(.*)", log):
        for cause, n in re.findall(r"([\w-]+)=(\d+)", text):
            counts[cause] = counts.get(cause, 0) + int(n)
    return counts


def documents(text: str) -> list:
    """The JSON documents of a script's commands, one after the other."""
    found, decoder, at = [], json.JSONDecoder(), 0
    while (start := re.compile(r"[\[{]").search(text, at)):
        document, at = decoder.raw_decode(text, start.start())
        found.append(document)
    return found


def on_hart(hart: int, tasks: list[dict]) -> list[str]:
    """Who runs, or waits to run, on a hart, by the monitor's list of tasks."""
    found = [task["name"] for task in tasks if task["hart"] == hart and task["state"] in ("running", "ready")]
    return [name for name in found if name != "idle"] or found


@pytest.mark.parametrize("neighbour", ["ipi", "fence", "exits", "touch"])
def test_H9_a_busy_neighbour_does_not_reach_the_hart(partitioned, neighbour):
    """No task but the vCPU's runs there (it comes once and goes once), no tick, no interrupt takes the guest out."""
    result, log = partitioned(neighbour, *ENDS)
    assert f"jitter: periods {PERIODS} " in result.text, result.err
    assert own_harts(log) == {1: (2, 0)}, log
    mine = exits(log)
    assert [mine[cause] for cause in ("timer", "ipi", "external", "wfi")] == [0, 0, 0, 0], mine
    assert mine["ecall"] == 1
    assert sum(exits(log, "busy").values()) >= 20


@pytest.mark.parametrize("neighbour", [None, "exits"])
def test_H9_a_period_costs_the_same_alone_and_beside_a_neighbour(partitioned, neighbour):
    """Where there is no Sstc the hypervisor brings each of its interrupts: one timer exit and one call, and no more."""
    result, log = partitioned(neighbour, *ENDS, words=("--cpu", "rv64,sstc=off"))
    periods, missed = map(int, re.search(r"jitter: periods (\d+) missed (\d+)", result.text).groups())
    mine = exits(log)
    assert (mine["timer"], mine["ecall"]) == (periods - missed, periods - missed + 2), mine
    assert [mine[cause] for cause in ("ipi", "external", "wfi")] == [0, 0, 0]
    assert own_harts(log)[1][0] == 2


def test_H9_who_runs_where(partitioned):
    """The list of tasks, while both run; then the hart is everybody's again, and once more the VM's own."""
    forever = {"append": "periods=100 rounds=0"}
    result, log = partitioned("ipi", "wait rt running", "wait busy running", "sleep 1", "hart --json",
                              "task --json", "vm stats rt --json", "vm stop rt",
                              "wait rt stopped", "vm delete rt", "sleep 1", "hart --json", "vm create rt",
                              "sleep 1", "hart --json", "task --json", "vm start rt", "sleep 1", "task --json",
                              rt=forever)
    assert result.status == 0, result.err
    harts, tasks, stats, free, again, before_start, running = documents(result.err)
    assert [hart["owner"] for hart in harts] == [None, "rt"]
    assert [hart["owner"] for hart in free] == [None, None]
    assert [hart["owner"] for hart in again] == [None, "rt"]
    assert free[1]["switches"] > harts[1]["switches"] + 2, "nobody used the hart that was free"
    assert stats["exclusive"] is True
    assert [on_hart(1, listed) for listed in (tasks, before_start, running)] == [["rt/0"], ["idle"], ["rt/0"]]
    assert own_harts(log)[1] == (2, 0)


def test_H9_two_cpus_two_harts(partitioned):
    """Their own IPIs are their own affair; each stays where it is. The neighbour has two harts left of four."""
    rt = {"kernel": guest("storm"), "append": "do=ipi", "cpus": 2, "harts": [3, 1]}
    result, log = partitioned("fence", "sleep 1", "task --json", "vm stop rt", "wait rt stopped", harts=4, rt=rt)
    (tasks,) = documents(result.err)
    where = {task["name"]: task["hart"] for task in tasks}
    assert (where["rt/0"], where["rt/1"]) == (1, 3)
    assert {hart for name, hart in where.items() if name.startswith("busy")} <= {0, 2}
    assert own_harts(log) == {1: (2, 0), 3: (2, 0)}


def test_H9_pause_and_reset_keep_the_hart(partitioned):
    forever = {"append": "periods=100 rounds=0"}
    result, log = partitioned("exits", "sleep 1", "vm pause rt", "sleep 1", "task --json", "vm resume rt", "vm reset rt",
                              "sleep 1", "wait rt running", "sleep 1", "task --json",
                              "vm stop rt", "wait rt stopped", rt=forever)
    assert result.status == 0, result.err
    assert [on_hart(1, tasks) for tasks in documents(result.err)] == [["idle"], ["rt/0"]]
    first, second = re.findall(r"hart 1 was its own: (\d+) task switches, 0 timer interrupts", log)
    assert (int(first), int(second)) == (4, 2), "the pause takes the vCPU off its hart, and nobody else comes"


def test_H9_hart_0_can_be_owned(partitioned):
    """The boot hart, to which devices' interrupts go at first: what is typed meanwhile interrupts the other one."""
    result, log = partitioned("exits", *ENDS, rt={"harts": [0]}, data=b"typed " * 300)
    assert f"jitter: periods {PERIODS} " in result.text, result.err
    assert own_harts(log) == {0: (2, 0)}
    assert exits(log)["external"] == 0


def test_H14_example_debian_beside_a_real_time_guest(spawn, debian):
    files = [ROOT / "configs" / "demos" / "partitioned" / name for name in ("debian.toml", "realtime.toml")]
    child = spawn("run", "--harts", "2", "--quiet", *files)
    child.expect(r"root@debian:~# ")
    to_monitor(child)
    child.send("vm console realtime\r")
    child.expect(r"jitter: periods 2000 missed \d+ late min \d+ avg \d+ max \d+ ticks of 100 ns")
    to_monitor(child)
    child.send("vm stats realtime --json\r")
    child.expect(r"(?s)\{.*\]\}(?=\r)")
    causes = {row["cause"]: row["exits"] for row in json.loads(child.match[0])["exits"]}
    assert not {"timer", "ipi", "external", "wfi"} & causes.keys(), causes
    child.send("poweroff\r")
    assert end_of_run(child) == 0
