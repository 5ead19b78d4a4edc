"""`exclusive = true`: VMs whose harts are their own, refused where the harts do not add up."""
import libfdt
import pytest

from test_config import assert_refused, read_bundle

KERNEL = 'kernel = "kernel"\n'
OWNER = KERNEL + "harts = [1]\nexclusive = true\n"

# harts of the machine; the lines of a.toml, b.toml ...; the message
WRONG = {
    "no harts": (2, [KERNEL + "exclusive = true\n"],
                 "a.toml:2: exclusive = true: say which harts: harts = [...], one for each CPU"),
    "fewer harts than CPUs": (4, [KERNEL + "cpus = 2\nharts = [1]\nexclusive = true\n"],
                              "a.toml:4: exclusive = true: each of the 2 CPUs needs one hart, and harts names 1"),
    "more harts than CPUs": (4, [KERNEL + "harts = [1, 2]\nexclusive = true\n"],
                             "a.toml:3: exclusive = true: each of the 1 CPUs needs one hart, and harts names 2"),
    "no such hart": (1, [OWNER], "a.toml:2: harts = [1]: the machine has no hart 1: --harts is 1"),
    "the only hart": (1, [KERNEL + "harts = [0]\nexclusive = true\n"],
                      "a.toml:3: exclusive = true: no hart is left for everything else: --harts is 1"),
    "all harts": (2, [KERNEL + "cpus = 2\nharts = [0, 1]\nexclusive = true\n"],
                  "a.toml:4: exclusive = true: no hart is left for everything else: --harts is 2"),
    "all harts together": (2, [OWNER, KERNEL + "harts = [0]\nexclusive = true\n"],
                           "b.toml:3: exclusive = true: no hart is left for everything else: --harts is 2"),
    "two owners": (3, [OWNER, KERNEL + "cpus = 2\nharts = [2, 1]\nexclusive = true\n"],
                   "b.toml:3: harts = [2, 1]: hart 1 belongs to another VM alone (a.toml:3: exclusive = true)"),
    "nothing left of harts": (3, [KERNEL + "harts = [1]\n", OWNER],
                              "a.toml:2: harts = [1]: none is left: they belong to other VMs alone (b.toml:3: exclusive"),
    "not a truth value": (2, [KERNEL + 'exclusive = "yes"\n'],
                          'a.toml:2: exclusive = "yes": true or false is wanted here, not a string'),
}


@pytest.mark.parametrize("what", WRONG)
def test_H9_partition_that_does_not_add_up(tool, what):
    harts, files, message = WRONG[what]
    names = [f"{letter}.toml" for letter in "abc"[:len(files)]]
    for name, text in zip(names, files):
        tool.file(name, text)
    assert_refused(tool.run("run", "--batch", "--harts", str(harts), *names), message)
    assert not tool.started()


def test_H9_partition_reaches_the_bundle(tool):
    tool.file("a.toml", KERNEL + "cpus = 2\nharts = [3, 1]\nexclusive = true\n")
    tool.file("b.toml", KERNEL + "harts = [1, 2]\nexclusive = false\n")
    result = tool.run("run", "--batch", "--harts", "4", "a.toml", "b.toml")
    assert result.returncode == 0, result.stderr
    files = read_bundle(tool)
    owner, other = (libfdt.FdtRo(files[f"vm/{n}.dtb"]) for n in range(2))
    assert bytes(owner.getprop(0, "exclusive")) == b""
    assert owner.getprop(0, "harts").as_uint64() == 0b1010
    assert other.getprop(0, "exclusive", [libfdt.NOTFOUND]) == -libfdt.NOTFOUND
