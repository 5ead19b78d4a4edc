"""Plug-ins: what a VM has beside the devices of virt, and that its neighbours do not."""
import json

import pytest

from machines import assert_passed, batch, guest


def description(toml, name, **values):
    return toml(name, kernel=guest("foreign"), memory="16M", **values)


def registers(err: str) -> dict:
    """What `vm dump VM regs --json` of a --script said."""
    return json.loads(err[err.index("{"):err.rindex("}") + 1])["regs"][0]


@pytest.mark.parametrize("neighbour", [False, True])
def test_H14_a_guest_whose_illegal_accesses_a_plug_in_answers(toml, tmp_path, neighbour):
    """Beside another VM whose harts are the same ones, and which has no plug-in: the hart is given to and fro."""
    script = tmp_path / "script"
    script.write_text("wait foreign ended\nvm dump foreign regs --json\nvm stop 0 --now\n")
    vms = [description(toml, "foreign", plugin=["example"])]
    if neighbour:
        vms.insert(0, toml("storm", kernel=guest("probe"), memory="32M", append="test=storm ms=100000"))
    result = batch("--script", str(script), *vms)
    found = registers(result.err)
    assert (found["a0"], found["a1"]) == ("0x6688", "0x1234")


def test_without_the_plug_in_both_are_the_guests_own_exceptions(toml):
    result = batch(description(toml, "foreign"))
    assert result.status == 1
    assert "cause 2 " in result.text and "value f14025f3" in result.text  # illegal instruction: csrr a1, mhartid


def test_a_plug_in_answers_its_own_vm_only(toml):
    """Both on one hart, at the same time: one is well, the other gets its exception."""
    result = batch(description(toml, "with", plugin=["example"]), description(toml, "without"))
    assert result.status == 1
    assert "without: crashed" in result.err and "with: crashed" not in result.err.replace("without: crashed", "")
    assert "[without]" in result.text and "[with]" not in result.text


@pytest.mark.parametrize("test", ["csrs", "isa", "counters"])
def test_what_a_plug_in_does_not_answer_is_as_without(toml, test):
    """Other illegal instructions of its VM, on several CPUs that share a hart."""
    result = batch(toml("probe", kernel=guest("probe"), memory="64M", cpus=2, append=f"test={test}", plugin=["example"]))
    assert_passed(result)


def test_a_plug_in_that_is_not_there(toml):
    result = batch(description(toml, "vm", plugin=["exampel"]))
    assert result.status == 2 and "vm: plugin: this hypervisor has no 'exampel'" in result.err
