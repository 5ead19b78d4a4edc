"""H13: a VM is reset, stopped and started, deleted and created again and again: RAM is zero and the image anew each
time, and not one frame is missing in the end. Under --icount, so that a script's lines come at the same moments.
"""
import json
import re

import pytest

from machines import batch, guest

FEW, MANY = 50, 1000
AT_ONCE = {"stop-timeout": 0}  # these guests would not hear that they are to shut down
FRESH = "words that were not zero: 0\n"
# Lines that let the guest have its say; 4 ms are enough for it.
ROUND = {
    "reset": ["vm reset v", "sleep 0.004"],
    "stop-start": ["vm stop v", "wait v ended", "vm start v", "sleep 0.004"],
    # Short, so that a thousand of them fit into a script.
    "delete-create": ["vm sto v", "wait v ended", "vm de v", "vm cr v", "vm star v", "sleep 0.004"],
    "paused-stop-start": ["vm pause v", "vm stop v", "wait v ended", "vm start v", "sleep 0.004"],
    "paused-reset": ["vm pause v", "vm reset v", "sleep 0.004"],
}


def documents(err: str) -> list[dict]:
    """What `mem --json` said, each time, but for what only grows."""
    said = [json.loads(document) for document in re.findall(r"\{.*?\}", err, re.DOTALL)]
    return [{key: value for key, value in document.items() if key != "zeroed"} for document in said]


@pytest.fixture
def scripted(tmp_path):
    """Run a script under --icount on one hart, to a good end."""
    def run(lines: list[str], *words, harts=1, timeout=120):
        script = tmp_path / "script"
        script.write_text("\n".join(lines))
        icount = ["--icount"] if harts == 1 else []
        result = batch("--script", script, "--harts", harts, *icount, *words, timeout=timeout)
        assert result.status == 0, result.err[-2000:]
        return result

    return run


@pytest.fixture
def rounds(toml, scripted):
    """Run so many rounds; the guest's output, and what `mem` says before and after."""
    def run(lines: list[str], count: int, *words, then="spin", timeout=120):
        vm = toml("v", kernel=guest("probe"), append=f"test=dirty then={then}", memory="16M", cpus=2, **AT_ONCE)
        stop = ["vm stop v", "wait v ended", "mem --json"]
        # The first round makes what stays for good (caches of the allocators).
        result = scripted(["sleep 0.004", *lines, *stop, "vm start v", "sleep 0.004", *lines * count, *stop], vm, *words,
                          timeout=timeout)
        return result.text, documents(result.err)

    return run


def check(rounds, kind: str, count: int, **options):
    text, memory = rounds(ROUND[kind], count, **options)
    assert text == ("test dirty\n" + FRESH) * (count + 3), "RAM is zero and the image anew, each time"
    assert len(memory) == 2 and memory[0] == memory[1], "not a frame is missing, nor a byte of the heap"


@pytest.mark.parametrize("kind", ROUND)
def test_H13_rounds(rounds, kind):
    check(rounds, kind, FEW)


@pytest.mark.long
@pytest.mark.parametrize("kind", ROUND)
def test_H13_a_thousand_rounds(rounds, kind):
    check(rounds, kind, MANY, timeout=900)


def check_reboots(rounds, seconds: str, at_least: int, **options):
    text, memory = rounds([f"sleep {seconds}"], 1, then="reboot", **options)
    begun = text.count("test dirty\n")
    assert begun >= at_least and begun - 2 <= text.count(FRESH) <= begun
    assert memory[0] == memory[1]


def test_H13_reboots_from_inside(rounds):
    check_reboots(rounds, "0.05", FEW)


@pytest.mark.long
def test_H13_a_thousand_reboots_from_inside(rounds):
    check_reboots(rounds, "1", MANY, timeout=900)


def test_H13_pause_about_the_end(scripted, toml):
    """A VM that powers off by itself on one hart, paused from the other a little before, after, or just then."""
    vm = toml("v", kernel=guest("storm"), append="do=off ms=1", memory="16M")
    lines = ["wait v ended", "sleep 0.1", "mem --json"]
    for n in range(60):  # each command that is refused takes some time
        lines += ["vm start v", *["- vm resume v"] * n, "- vm pause v", "- vm resume v", "wait v ended"]
    result = scripted([*lines, "sleep 0.1", "mem --json"], vm, harts=2)
    assert result.text == "off\n" * 61
    before, after = documents(result.err)
    assert abs(before["free"] - after["free"]) <= 2 * 64 * 4096, "each hart may keep some frames to itself"


@pytest.mark.parametrize("end", ["stop", "off"])
def test_H13_two_vms_end_at_once(scripted, toml, end):
    files = [toml(name, kernel=guest("storm"), append="do=off" if end == "off" else "do=hang", memory="16M", **AT_ONCE) for name in "ab"]
    stop = ["vm stop a", "vm stop b"] if end == "stop" else []
    ended = [*stop, "wait a ended", "wait b ended"]
    memory = ["sleep 0.2", "mem --json"]  # it is given back just after the end
    lines = [*ended, *memory, *["vm start a", "vm start b", *ended] * 30, *memory]
    result = scripted(lines, *files, harts=2)
    before, after = documents(result.err)
    assert abs(before["free"] - after["free"]) <= 2 * 64 * 4096, "each hart may keep some frames to itself"


def test_H13_one_that_never_ran_leaves_nothing(scripted, toml):
    vm = toml("v", kernel=guest("storm"), append="do=hang", memory="16M", cpus=2, autostart=False)
    again = ["vm delete v", "vm create v"]
    result = scripted([*again, "mem --json", *again * 20, "mem --json", "task --json"], vm)
    before, after = documents(result.err)[:2]
    assert before["free"] == after["free"]
    assert result.err.count('"v/0"') == 1


def test_H7_boot_executes_nothing(scripted, toml):
    """Made and loaded, it has left the guest not once, until its primary vCPU is woken."""
    vm = toml("v", kernel=guest("storm"), append="do=hang", memory="16M", cpus=2, autostart=False, **AT_ONCE)
    look = ["sleep 0.02", "vm list --json"]
    result = scripted([*look, *look, "vm start v", *look, "vm stop v", "wait v ended", "vm delete v", "vm create v", *look,
                       "vm start v", *look, "poweroff"], vm)
    lists = [json.loads(text) for text in re.findall(r"\[\n.*?\}\]", result.err, re.DOTALL)]
    seen = [(row["state"], row["exits"] > 0) for (row,) in lists]
    created, running = ("created", False), ("running", True)
    assert seen == [created, created, running, created, running]
    assert result.text == "hang\nhang\n"


WRONG = [
    (["vm start v"], "cannot start v: it is running"),
    (["vm delete v"], "cannot delete v: it is running"),
    (["vm create v"], "cannot create v: there is a VM of that name"),
    (["vm resume v"], "cannot resume v: it is running"),
    (["vm pause v", "vm pause v"], "cannot pause v: it is paused"),
    (["vm pause v", "vm start v"], "cannot start v: it is paused"),
    (["vm pause v", "vm delete v"], "cannot delete v: it is paused"),
    (["vm stop v", "wait v ended", "vm stop v"], "cannot stop v: it is stopped"),
    (["vm stop v", "wait v ended", "vm reset v"], "cannot reset v: it is stopped"),
    (["vm stop v", "wait v ended", "vm pause v"], "cannot pause v: it is stopped"),
    (["vm stop v", "wait v ended", "vm delete v", "vm delete v"], "no VM 'v'; there are none"),
    (["vm stop v", "wait v ended", "vm delete v", "vm create v", "vm pause v"], "cannot pause v: it is created"),
    (["vm stop v", "wait v ended", "vm delete v", "vm create v", "vm stop v"], "cannot stop v: it is created"),
    (["vm stop v", "wait v ended", "vm delete v", "vm create v", "vm create v"], "cannot create v: there is a VM"),
]


@pytest.mark.parametrize("lines, said", WRONG, ids=["-then-".join(line.split()[1] for line in lines) for lines, _ in WRONG])
def test_H13_an_order_that_makes_no_sense(scripted, toml, lines, said):
    """It is refused with a reason, and the VM is as it was: it can be stopped, deleted, made and run."""
    vm = toml("v", kernel=guest("storm"), append="do=hang", memory="16M", **AT_ONCE)
    again = ["- vm stop v", "sleep 0.001", "- vm delete v", "vm create v", "vm start v", "wait v running", "vm stop v"]
    result = scripted(["sleep 0.002", *lines[:-1], "- " + lines[-1], *again, "wait v ended", "poweroff"], vm)
    assert result.err.startswith(said), result.err
    assert result.text == "hang\n" or result.text == "hang\n" * 2
