"""vm show, vm dump, top: what they say of guests whose state is known."""
import json
import re

import pytest

from machines import batch, guest
from prompt import PROMPT, to_monitor

from caisson import vmconfig


@pytest.fixture
def ask(tmp_path, toml):
    """Run commands in --batch beside a VM; their output as text."""
    def run(*lines, words=(), **vm):
        path = tmp_path / "script.txt"
        path.write_text("\n".join([*lines, "poweroff"]))
        values = {"kernel": guest("tick"), "memory": "16M", **vm}
        result = batch("--script", path, toml("tick", **values), *words)
        assert result.status == 0, result.err
        return result.err

    return run


def test_show_has_every_key(ask):
    said = json.loads(ask("vm show tick --json", autostart=False, append='a "b" \\u00e9'.replace('"', '\\"'), harts=[0],
                          restart="on-crash", eager=True))
    missing = [key for key in vmconfig.KEYS if vmconfig.attribute(key) not in said]
    assert not missing
    assert said["state"] == "created" and said["memory"] == 16 << 20 and said["harts"] == "0"
    assert said["append"] == 'a "b" é' and said["restart"] == "on-crash" and said["eager"] and not said["autostart"]
    assert said["kernel"].endswith("tick.bin") and int(said["load"], 16) == 0x80200000
    assert said["initrd"] is None and said["isa"].startswith("rv64")


def test_dump_regs_of_a_vm_that_never_ran(ask):
    said = json.loads(ask("vm dump tick regs --json", autostart=False))
    (vcpu,) = said["regs"]
    assert vcpu["pc"] == vcpu["a1"] == vcpu["vsatp"] == "0x0" and said["consistent"] is True


def test_dump_of_a_running_vm_is_consistent_and_it_goes_on(ask):
    """guests/probe spins with known registers: its pc is in its image."""
    said = ask("sleep 0.05", "vm dump tick regs --json", "vm list", kernel=guest("probe"), append="test=spin", cpus=2, words=("--icount", "--harts", "2"))
    document, rest = json.JSONDecoder().raw_decode(said)
    assert document["consistent"] is True
    assert 0x80200000 <= int(document["regs"][0]["pc"], 16) < 0x80300000
    assert document["regs"][0]["vstvec"] != "0x0"
    assert re.search(r"tick +running", said[rest:])


def test_dump_map(ask):
    said = json.loads(ask("wait tick running", "sleep 0.05", "vm dump tick map --json", words=["--icount"]))
    ram = next(area for area in said["areas"] if area["start"] == "0x80000000")
    assert ram["size"] == 16 << 20 and ram["perm"] == "rwx" and ram["device"] is None
    assert {area["device"] for area in said["areas"]} >= {"plic", "uart", "rtc", "finisher"}
    assert sum(area["size"] for area in said["mapped"]) == ram["frames"]
    assert any(int(r["start"], 16) <= 0x80200000 <= int(r["end"], 16) for r in said["mapped"])


def test_dump_device_tree(ask):
    text = ask("vm dump tick dt", append="console=ttyS0")
    assert '        bootargs = "console=ttyS0";' in text and text.count("{") == text.count("}") > 10
    said = json.loads(ask("vm dump tick dt --json", cpus=2))
    assert said["dt"]["chosen"]["bootargs"] == '""'
    assert said["dt"]["memory@80000000"]["reg"] == "<0x0 0x80000000 0x0 0x1000000>"
    assert {"cpu@0", "cpu@1"} <= said["dt"]["cpus"].keys()


def test_dump_interrupts(ask):
    said = json.loads(ask("wait tick running", "sleep 0.05", "vm dump tick irq --json", words=["--icount"]))
    (target,) = said["targets"]
    uart = next(source for source in said["sources"] if source["source"] == 10)
    assert target["threshold"] == 0 and int(target["vsie"], 16) & 0x200
    assert uart["priority"] == 1 and uart["enabled"] == "0"


def test_dump_everything_of_an_ended_vm(ask):
    said = json.loads(ask("sleep 0.05", "vm stop tick --now", "wait tick ended", "vm dump tick --json", cpus=2, words=["--icount"]))
    assert {"regs", "areas", "mapped", "dt", "targets", "sources"} <= said.keys()
    assert len(said["regs"]) == 2 and said["state"] == "stopped"


def test_top_counts_per_second(ask):
    rounds = json.loads(ask("wait tick running", "top 2 --json", kernel=guest("probe"), append="test=spin"))
    assert len(rounds) == 2
    for round_ in rounds:
        (vcpu,) = round_["vcpus"]
        assert vcpu["name"] == "tick" and vcpu["cpu"] + vcpu["idle"] <= 101
        assert vcpu["exits"] >= sum(vcpu[cause] for cause in ("ecall", "mmio", "timer", "ipi")) - 4


def test_top_ends_with_a_key(spawn, toml):
    child = spawn("run", "--quiet", toml("tick", kernel=guest("tick"), memory="16M"))
    child.expect("tick 1")
    to_monitor(child)
    child.send("top\r")
    child.expect(r"tick +0 +(running|waiting)")
    child.expect(r"tick +0 +(running|waiting)")
    child.send("q")
    child.expect(PROMPT)
    child.send("echo still here\r")
    child.expect("\nstill here")
