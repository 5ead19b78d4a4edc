"""H15: what one VM does is not another's trouble."""
import pytest

from machines import batch, guest

BAD = ["spin", "wfi", "storm ms=100000", "double-fault", "failure", "jump", "lines n=100000000", "reboot", "halt"]


@pytest.mark.parametrize("test", BAD, ids=[f"H15-{test.split()[0]}" for test in BAD])
def test_a_good_vm_beside_a_bad_one(toml, spawn, test):
    """On one hart: the good VM's own checks (timers among them) all pass, whatever the other does."""
    bad = toml("bad", kernel=guest("probe"), append=f"test={test}", memory="32M")
    good = toml("good", kernel=guest("probe"), append="test=timer", memory="32M")
    child = spawn("run", "--batch", good, bad, "--harts", "1")
    assert child.expect(["PASS timer", "FAIL"]) == 0


@pytest.mark.parametrize("harts", [1, 2, 4])
def test_H9_several_smp_vms_at_once(toml, harts):
    files = [toml(f"vm{n}", kernel=guest("probe"), append="test=smp fences=5", cpus=2, memory="32M") for n in range(3)]
    result = batch(*files, "--harts", harts)
    assert result.status == 0
    for n in range(3):
        assert f"[vm{n}] PASS smp" in result.text


def test_H15_fp_state_of_two_vms(toml):
    files = [toml(f"vm{n}", kernel=guest("probe"), append="test=fp-harts rounds=500", cpus=2, memory="32M")
             for n in range(2)]
    result = batch(*files, "--harts", "1")
    assert result.status == 0 and result.text.count("PASS fp-harts") == 2


def test_H9_vms_bound_to_harts(toml, tmp_path):
    path = tmp_path / "bound.toml"
    path.write_text(f'kernel = "{guest("probe")}"\nappend = "test=smp fences=5"\ncpus = 2\nharts = [1]\n')
    log = tmp_path / "log"
    result = batch(str(path), "--harts", "2", "--log", log)
    assert result.status == 0 and "PASS smp" in result.text
