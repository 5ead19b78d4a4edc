"""`autostart = false`: a VM that is made, and started from the monitor only (H7)."""
import re

from machines import ROOT, guest, run
from prompt import PROMPT, ask, end_of_run, to_monitor


def test_H7_a_vm_without_autostart_waits_for_the_monitor(spawn, toml):
    late = toml("late", kernel=guest("hello"), memory="16M", autostart=False)
    tick = toml("tick", kernel=guest("tick"), memory="16M")
    child = spawn("run", late, tick)
    child.expect("tick 1")  # the console is that of a VM that runs
    to_monitor(child)
    assert re.search(r"late +created", ask(child, "vm list"))
    assert ask(child, "vm stats late").endswith("none")  # no exits
    child.send("vm start late\r")
    child.expect("late has shut down")
    ask(child, "help")
    child.send("poweroff\r")
    assert end_of_run(child) == 0


def test_H7_all_vms_may_wait(spawn, toml):
    child = spawn("run", toml("late", kernel=guest("hello"), memory="16M", autostart=False))
    child.expect(PROMPT)
    assert re.search(r"late +created", ask(child, "vm list"))
    child.send("vm start late\r")
    child.expect("late has shut down")
    assert end_of_run(child) == 0


def test_H7_in_batch_a_vm_that_waits_keeps_nobody(tmp_path):
    """The tool refuses it; a bundle of another writer may say so all the same."""
    from caisson import bundle, machine, vmconfig

    made = {name: vmconfig.build({"kernel": guest("hello"), "memory": "16M", "name": name},
                                 vmconfig.Source("test", {}), name) for name in ("late", "hello")}
    made["late"].autostart = False
    with open(tmp_path / "bundle", "wb") as out:
        size = bundle.write(out, list(made.values()))
    plan = machine.Machine()
    result = run(machine.command(plan, machine.plan_ram(plan, made.values(), size),
                                 str(ROOT / "build" / "hypervisor" / "caisson.bin"), str(tmp_path / "bundle"), "batch"))
    assert result.status == 0
    assert "hello: ended" in result.text and "late: running" not in result.text
