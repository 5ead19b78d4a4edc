"""Programs that do what they must not: bad pointers in every system call, faults of all kinds. They alone are harmed (P2, P4)."""
import shutil

import pytest

import linux_bare
import linux_programs
from machines import caisson


# As Linux 6.12 does it. What the handlers are told: si_code, and whether si_addr is right.
FAULTS = """\
kernel read: dies of 11; handler: 11 code 1, its address
kernel write: dies of 11; handler: 11 code 1, its address
kernel memory: dies of 11; handler: 11 code 1, its address
kernel jump: dies of 11; handler: 11 code 1, its address
null read: dies of 11; handler: 11 code 1
null write: dies of 11; handler: 11 code 1, its address
null jump: dies of 11; handler: 11 code 1
no page: dies of 11; handler: 11 code 1, its address
beyond user space: dies of 11; handler: 11 code 1, its address
not canonical: dies of 11; handler: 11 code 1
highest: dies of 11; handler: 11 code 1
constant write: dies of 11; handler: 11 code 2, its address
text write: dies of 11; handler: 11 code 2, its address
no access: dies of 11; handler: 11 code 2, its address
across pages: dies of 11; handler: 11 code 2
stack jump: dies of 11; handler: 11 code 2, its address
data jump: dies of 11; handler: 11 code 2, its address
no access jump: dies of 11; handler: 11 code 2, its address
overflow: dies of 11; handler: 11 code 1
beyond file: dies of 7; handler: 7 code 2, its address
into the middle: dies of 4; handler: 4 code 1
odd lr: dies of 7; handler: 7 code 1
odd amo: dies of 7; handler: 7 code 1
ebreak: dies of 5; handler: 5 code 1, its address
zero: dies of 4; handler: 4 code 1, its address
ones: dies of 4; handler: 4 code 1, its address
csr read: dies of 4; handler: 4 code 1, its address
csr write: dies of 4; handler: 4 code 1, its address
machine csr: dies of 4; handler: 4 code 1, its address
no csr: dies of 4; handler: 4 code 1, its address
sret: dies of 4; handler: 4 code 1, its address
mret: dies of 4; handler: 4 code 1, its address
wfi: dies of 4; handler: 4 code 1, its address
sfence: dies of 4; handler: 4 code 1, its address
hypervisor load: dies of 4; handler: 4 code 1, its address
hypervisor fence: dies of 4; handler: 4 code 1, its address
no stack: dies of 11; with a handler: dies of 11
kernel stack: dies of 11; with a handler: dies of 11
sigreturn from nowhere: dies of 11; handler: 11 code 128
sigreturn of ones: dies of 11; with a handler: dies of 11
abort: dies of 6; handler: 6 code -6
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A root folder with busybox as sh, and our programs by name."""
    from caisson import fetch

    folder = tmp_path_factory.mktemp("root")
    (folder / "bin").mkdir()
    shutil.copy(fetch.debian() / "busybox", folder / "bin" / "busybox")
    (folder / "bin" / "busybox").chmod(0o755)
    for name in ("badpointers", "callfuzz", "faults"):
        shutil.copy(linux_programs.build(name), folder / "bin" / name)
    return folder


def shell(root, script, timeout, *options):
    return caisson("exec", *options, "--root", str(root), str(root / "bin" / "busybox"), "sh", "-c", script, timeout=timeout)


@pytest.mark.parametrize("how", ["", pytest.param("long", marks=pytest.mark.long)])
def test_P4_bad_pointers_harm_only_themselves(root, how):
    result = shell(root, f"/bin/badpointers {how}; echo $? alive", 400)
    lines = result.text.splitlines()
    assert not [line for line in lines if line.startswith("bad")]
    assert lines[-2:] == ["PASS", "0 alive"], result.text + result.err


@pytest.mark.parametrize("seed, processes, calls, options", [
    (1, 200, 300, ()), (2, 200, 300, ("--harts", 4)),
    *(pytest.param(seed, 2000, 500, options, marks=pytest.mark.long)
      for seed, options in [(11, ()), (4242, ("--harts", 2)), (12, ("--harts", 2)), (13, ("--harts", 2, "--debug")), (14, ("--ram", "48M"))]),
])
def test_P4_random_calls(root, seed, processes, calls, options):
    """`callfuzz SEED 1 CALLS N` in a shell does again what its N-th process did."""
    result = shell(root, f"/bin/callfuzz {seed} {processes} {calls}; echo $? alive", 900, *options)
    assert result.text.splitlines() == ["PASS", "0 alive"], result.text + result.err[-2000:]


@pytest.mark.parametrize("harts", [1, 2])
def test_P2_each_dies_of_its_own_signal_and_a_neighbour_computes_on(root, tmp_path, harts):
    result = shell(root, "/bin/faults compute >/alone; /bin/faults compute >/beside & /bin/faults; wait; cat /alone /beside; echo alive",
                   300, "--harts", harts, "--log", tmp_path / "log")
    assert result.text[:len(FAULTS)] == FAULTS
    alone, beside, alive = result.text[len(FAULTS):].splitlines()
    assert alone == beside and alone.startswith("computed ") and alive == "alive"
    # Each of those that died has its line in the log, with the address.
    log = (tmp_path / "log").read_text()
    for words in ("load page fault at ffffffff80000000", "instruction page fault at 0,", "illegal instruction", "breakpoint"):
        assert words in log


def test_P2_the_faults_are_those_of_linux(tmp_path):
    assert linux_bare.output(linux_programs.build("faults"), tmp_path) == FAULTS
