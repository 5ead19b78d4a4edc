"""The [[net]] tables and --net: what is wrong with one, or between two VMs, is said with file and line; the rest reaches the bundle."""
import re

import libfdt
import pytest

from test_config import assert_refused, read_bundle

HEAD = 'kernel = "kernel"\n\n[[net]]\n'

ALONE = [
    ('kernel = "kernel"\nnet = 1\n', "a.toml:2: net = 1: a [[net]] table is wanted here, not a whole"),
    ('kernel = "kernel"\nnet = true\n', "a.toml:2: net = true: a [[net]] table is wanted here, not a truth"),
    ('kernel = "kernel"\nnet = [1]\n', "a.toml:2: net = [1]: a [[net]] table is wanted here"),
    ('kernel = "kernel"\n[net]\nswitch = "c"\n', "a.toml:2: [net]: a [[net]] table is wanted here, not a table"),
    (HEAD + 'swich = "c"\n', """a.toml:4: swich = "c": unknown key 'swich'; did you mean 'switch'?"""),
    (HEAD + 'zzz = 1\n', "a.toml:4: zzz = 1: unknown key 'zzz'; the keys of a network device are switch, mac"),
    (HEAD + 'switch = ""\n', 'a.toml:4: switch = "": a name has 1 to 31 characters'),
    (HEAD + 'switch = "a,b"\n', "a name has 1 to 31 characters"),
    (HEAD + 'switch = 1\n', "a.toml:4: switch = 1: a string is wanted here"),
    (HEAD + 'mac = "02:00:00:00:00"\n', 'a.toml:4: mac = "02:00:00:00:00": not an address such as'),
    (HEAD + 'mac = "02-00-00-00-00-01"\n', "not an address such as"),
    (HEAD + 'mac = "0x:00:00:00:00:01"\n', "not an address such as"),
    (HEAD + 'mac = "01:00:5e:00:00:01"\n', "an address of many"),
    (HEAD + 'mac = "ff:ff:ff:ff:ff:ff"\n', "an address of many"),
    (HEAD + 'mac = "00:00:00:00:00:00"\n', "all zero is nobody's address"),
    (HEAD + 'mac = 2\n', "an address such as"),
    (HEAD + 'isolated = 1\n', "a.toml:4: isolated = 1: true or false is wanted here"),
    (HEAD + 'uplink = "net0"\n', "true or false is wanted here"),
    (HEAD + 'offload = "no"\n', "true or false is wanted here"),
    (HEAD + 'mtu = 67\n', "a.toml:4: mtu = 67: an MTU is 68 to 9000 bytes"),
    (HEAD + 'mtu = 9001\n', "an MTU is 68 to 9000 bytes"),
    (HEAD + 'mtu = "1500"\n', "a whole number is wanted here"),
    ('kernel = "kernel"\n' + "[[net]]\n" * 5, "a.toml:6: [[net]]: a VM has at most 4 network devices"),
    (HEAD + 'mac = "02:00:00:00:00:01"\n[[net]]\nmac = "02:00:00:00:00:01"\n',
     'a.toml:6: mac = "02:00:00:00:00:01": 02:00:00:00:00:01 on switch \'lan\' is another\'s (a, net 0)'),
]


@pytest.mark.parametrize("text, message", ALONE, ids=lambda value: str(value)[-40:].replace("\n", " "))
def test_bad_table(tool, text, message):
    tool.file("a.toml", text)
    assert_refused(tool.run("run", "--batch", "a.toml"), message)
    assert not tool.started()


def test_the_same_address_twice(tool):
    tool.file("a.toml", HEAD + 'mac = "02:AB:00:00:00:01"\n')
    tool.file("b.toml", HEAD + 'mac = "02:ab:00:00:00:01"\n')
    assert_refused(tool.run("run", "--batch", "a.toml", "b.toml"),
                   'b.toml:4: mac = "02:ab:00:00:00:01": 02:ab:00:00:00:01 on switch \'lan\' is another\'s (a, net 0)')
    tool.file("b.toml", HEAD + 'mac = "02:ab:00:00:00:01"\nswitch = "other"\n')
    assert tool.run("run", "--batch", "a.toml", "b.toml").returncode == 0


def test_too_many_switches_and_ports(tool):
    for n in range(3):
        tool.file(f"v{n}.toml", 'kernel = "kernel"\n' + "".join(f'[[net]]\nswitch = "s{n}{i}"\n' for i in range(4)))
    assert_refused(tool.run("run", "--batch", "v0.toml", "v1.toml", "v2.toml"),
                   'v2.toml:3: switch = "s20": there are at most 8 switches')
    for n in range(8):
        tool.file(f"w{n}.toml", 'kernel = "kernel"\n' + "[[net]]\n" * 4)
    assert_refused(tool.run("run", "--batch", *(f"w{n}.toml" for n in range(8))),
                   "w7.toml:5: [[net]]: a switch has at most 31 of these ports")


def nets_of(tool, number: int = 0) -> list[str]:
    tree = libfdt.FdtRo(read_bundle(tool)[f"vm/{number}.dtb"])
    return bytes(tree.getprop(0, "nets")).decode().split("\0")[:-1]


def test_networks_reach_the_bundle(tool):
    tool.file("a.toml", HEAD + "[[net]]\nswitch = \"x.1\"\nmac = \"02:00:00:00:00:0A\"\nisolated = true\noffload = false\nmtu = 9000\n")
    tool.file("b.toml", HEAD + 'switch = "x.1"\nuplink = true\n')
    tool.file("c.toml", 'kernel = "kernel"\n')
    result = tool.run("run", "--batch", "a.toml", "b.toml", "c.toml")
    assert result.returncode == 0, result.stderr
    first, second = nets_of(tool)
    assert re.fullmatch("lan,mac=02:ca:[0-9a-f:]{11},mtu=1500", first)
    assert second == "x.1,mac=02:00:00:00:00:0a,mtu=9000,isolated,plain,uplink=net0"
    assert nets_of(tool, 1)[0].endswith(",uplink=net0")
    none = libfdt.FdtRo(read_bundle(tool)["vm/2.dtb"]).getprop(0, "nets", [libfdt.NOTFOUND])
    assert none == -libfdt.NOTFOUND


def test_default_addresses_are_stable_and_differ(tool):
    found = []
    for name in ("a", "b", "a"):
        tool.file(f"{name}.toml", HEAD + "[[net]]\n")
        assert tool.run("run", "--batch", f"{name}.toml").returncode == 0
        found.append(nets_of(tool))
    assert found[0] == found[2] and len({*found[0], *found[1]}) == 4


def test_net_is_a_port_with_the_machines_network(tool):
    tool.file("kernel")
    result = tool.run("run", "--batch", "--kernel", "kernel", "--net")
    assert result.returncode == 0, result.stderr
    assert re.fullmatch("lan,mac=02:ca:[0-9a-f:]{11},mtu=1500,uplink=net0", nets_of(tool)[0])
    assert "user,id=net0" in tool.record() and "virtio-net-device,netdev=net0" in tool.record()
    assert "virtio-mmio.force-legacy=false" in tool.record()


def test_the_machine_has_a_device_for_each_uplink(tool):
    tool.file("a.toml", HEAD + 'uplink = true\n[[net]]\nswitch = "x"\nuplink = true\n[[net]]\nswitch = "y"\n')
    result = tool.run("run", "--batch", "--uplink", "user,hostname=box", "a.toml")
    assert result.returncode == 0, result.stderr
    words = tool.record()
    assert [word for word in words if "id=net" in word] == ["user,hostname=box,id=net0", "user,id=net1"]
    assert [text.rpartition(",")[2] for text in nets_of(tool)] == ["uplink=net0", "uplink=net1", "mtu=1500"]


def test_no_uplink_no_device(tool):
    tool.file("a.toml", HEAD)
    assert tool.run("run", "--batch", "a.toml").returncode == 0
    assert "-netdev" not in tool.record()
    assert_refused(tool.run("run", "--batch", "--uplink", "", "a.toml"), "--uplink : the value is empty")


def test_check_shows_networks(tool):
    tool.file("a.toml", HEAD + 'isolated = true\nmac = "02:00:00:00:00:01"\n')
    text = tool.run("run", "--check", "a.toml").stdout.decode()
    assert re.search(r'net +\[\{ switch = "lan", mac = "02:00:00:00:00:01", isolated = true }] +\(a.toml:3\)', text), text
