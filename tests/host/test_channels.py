"""The [[channel]] tables: what is wrong with one, or between two VMs, is said with file and line; the rest reaches the bundle."""
import libfdt
import pytest

from test_config import assert_refused, read_bundle

HEAD = 'kernel = "kernel"\n\n[[channel]]\n'
OWNER = HEAD + 'name = "c"\nsize = "64K"\nallow = ["b:rw"]\n'
MEMBER = HEAD + 'name = "c"\n'

ALONE = [
    ('kernel = "kernel"\nchannel = 1\n', "a.toml:2: channel = 1: a [[channel]] table is wanted here, not a whole"),
    ('kernel = "kernel"\nchannel = [1]\n', "a.toml:2: channel = [1]: a [[channel]] table is wanted here"),
    ('kernel = "kernel"\n[channel]\nname = "c"\n', "a.toml:2: [channel]: a [[channel]] table is wanted here, not a table"),
    (HEAD, "a.toml:3: [[channel]]: a channel needs a name"),
    (HEAD + 'name = ""\n', 'a.toml:4: name = "": a name has 1 to 31 characters'),
    (HEAD + 'name = 1\n', "a.toml:4: name = 1: a string is wanted here"),
    (HEAD + 'name = "c"\naceess = "rw"\n', """a.toml:5: aceess = "rw": unknown key 'aceess'; did you mean 'access'?"""),
    (HEAD + 'name = "c"\nzzz = 1\n', "a.toml:5: zzz = 1: unknown key 'zzz'; the keys of a channel are name, size"),
    (HEAD + 'name = "c"\naccess = "wo"\n', 'a.toml:5: access = "wo": access is "rw" or "ro"'),
    (HEAD + 'name = "c"\nsize = 0\n', "a.toml:5: size = 0: a channel's size is a power of two from 4K to 16M"),
    (HEAD + 'name = "c"\nsize = "12K"\n', "a channel's size is a power of two"),
    (HEAD + 'name = "c"\nsize = "32M"\n', "a channel's size is a power of two"),
    (HEAD + 'name = "c"\nsize = -4096\n', "a channel's size is a power of two"),
    (HEAD + 'name = "c"\nsize = 99999999999999999999999\n', "a channel's size is a power of two"),
    (HEAD + 'name = "c"\nsize = "x"\n', 'a.toml:5: size = "x": not a size'),
    (HEAD + 'name = "c"\nsize = true\n', "a size such as"),
    (HEAD + 'name = "c"\nallow = ["b:rw"]\n', "a.toml:5: allow = [\"b:rw\"]: the owner of a channel says its size too"),
    (HEAD + 'name = "c"\nsize = 4096\nallow = []\n', "the list is empty"),
    (HEAD + 'name = "c"\nsize = 4096\nallow = "b:rw"\n', "a.toml:6: allow"),
    (HEAD + 'name = "c"\nsize = 4096\nallow = ["b"]\n', "'b' is not \"VM:rw\" or \"VM:ro\""),
    (HEAD + 'name = "c"\nsize = 4096\nallow = ["b:x"]\n', "'b:x' is not"),
    (HEAD + 'name = "c"\nsize = 4096\nallow = ["b:rw", "b:ro"]\n', "'b' is there twice"),
    (HEAD + 'name = "c"\nsize = 4096\nallow = ["a:rw"]\n', "'a' is the owner"),
    (HEAD + 'name = "c"\nsize = 4096\nallow = [' + ", ".join(f'"v{n}:ro"' for n in range(8)) + ']\n', "at most 8 members"),
    (MEMBER, "a.toml:4: name = \"c\": no VM of this run owns a channel 'c'"),
    (OWNER, "a.toml:6: allow = [\"b:rw\"]: no VM of this run is called 'b'"),
    (MEMBER + '[[channel]]\nname = "c"\n', "a.toml:6: name = \"c\": this VM has a channel 'c' already"),
    ('kernel = "kernel"\n' + "".join(f'[[channel]]\nname = "c{n}"\n' for n in range(5)),
     "a.toml:10: [[channel]]: a VM has at most 4 channels"),
]


@pytest.mark.parametrize("text, message", ALONE, ids=lambda value: str(value)[-40:].replace("\n", " "))
def test_bad_table(tool, text, message):
    tool.file("a.toml", text)
    assert_refused(tool.run("run", "--batch", "a.toml"), message)
    assert not tool.started()


TOGETHER = [
    (OWNER.replace("b:rw", "c:rw"), MEMBER,
     """b.toml:4: name = "c": channel 'c' does not allow 'b' (a.toml:6: allow = ["c:rw"])"""),
    (OWNER.replace("b:rw", "b:ro"), MEMBER,
     """b.toml:4: name = "c": channel 'c' allows 'b' to read only: say access = "ro" (a.toml:6: """),
    (OWNER.replace("b:rw", "b:ro"), MEMBER + 'access = "rw"\n', """b.toml:5: access = "rw": channel 'c' allows 'b' to"""),
    (OWNER, MEMBER + "size = 4096\n", """b.toml:5: size = 4096: channel 'c' has 64K (a.toml:6: allow"""),
    (OWNER, OWNER.replace("b:rw", "c:rw"), """b.toml:6: allow = ["c:rw"]: channel 'c' has an owner already (a.toml:6: """),
]


@pytest.mark.parametrize("first, second, message", TOGETHER, ids=range(len(TOGETHER)))
def test_bad_together(tool, first, second, message):
    tool.file("a.toml", first)
    tool.file("b.toml", second)
    tool.file("c.toml", 'kernel = "kernel"\n')
    assert_refused(tool.run("run", "--batch", "a.toml", "b.toml", "c.toml"), message)
    assert not tool.started()


def test_too_many_channels(tool):
    for n in range(5):
        tool.file(f"v{n}.toml", 'kernel = "kernel"\n' + "".join(
            f'[[channel]]\nname = "c{n}{m}"\nsize = 4096\nallow = ["v{(n + 1) % 5}:ro"]\n' for m in range(4)))
    result = tool.run("run", "--batch", *(f"v{n}.toml" for n in range(5)))
    assert_refused(result, "v4.toml:2: [[channel]]: there are at most 16 channels")


def test_channels_reach_the_bundle(tool):
    tool.file("a.toml", OWNER + 'access = "ro"\n')
    tool.file("b.toml", MEMBER + 'size = "64K"\n')
    tool.file("c.toml", 'kernel = "kernel"\n')
    result = tool.run("run", "--batch", "b.toml", "a.toml", "c.toml")
    assert result.returncode == 0, result.stderr
    files = read_bundle(tool)
    channel = libfdt.FdtRo(files["channel/0.dtb"])
    assert bytes(channel.getprop(0, "compatible")) == b"caisson,channel\0"
    assert bytes(channel.getprop(0, "name")) == b"c\0"
    assert channel.getprop(0, "size").as_uint64() == 64 << 10
    assert bytes(channel.getprop(0, "members")) == b"a:ro\0b:rw\0"
    assert bytes(libfdt.FdtRo(files["vm/0.dtb"]).getprop(0, "channels")) == b"c:rw\0"
    assert bytes(libfdt.FdtRo(files["vm/1.dtb"]).getprop(0, "channels")) == b"c:ro\0"
    assert libfdt.FdtRo(files["vm/2.dtb"]).getprop(0, "channels", [libfdt.NOTFOUND]) == -libfdt.NOTFOUND
    assert "channel/1.dtb" not in files
