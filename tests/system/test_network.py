"""Networks between VMs (docs/network.md): who reaches whom, what a frame costs, and what neighbours do not notice."""
import json
import re

import pytest

from machines import batch, guest
from test_rounds import documents

ADDRESS = "02:00:00:00:00:{:02x}"


@pytest.fixture
def vm(tmp_path):
    """vm(1, "role=ping", isolated=True) -> the path of the description of a VM v1 with one port, whose address ends in 1."""
    def write(number: int, append: str, head: str = "", **keys) -> str:
        keys.setdefault("mac", ADDRESS.format(number))
        path = tmp_path / f"v{number}.toml"
        path.write_text(f'kernel = "{guest("net")}"\nappend = "{append}"\nmemory = "16M"\n{head}\n[[net]]\n' +
                        "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items()))
        return str(path)

    return write


@pytest.fixture
def ports(tmp_path):
    """Run VMs with a script that waits until those named have ended: the result, and the ports by VM."""
    def run(waits: list[str], *words, lines=(), **options):
        script = tmp_path / "script"
        script.write_text("\n".join([*lines, *(f"wait {name} ended" for name in waits), "net ports --json", "poweroff"]))
        result = batch("--script", script, *words, **options)
        found = re.search(r"^\[.*\]$", result.err, re.DOTALL | re.MULTILINE)
        assert found, result.err + result.text
        return result, {port["owner"]: port for port in json.loads(found[0])}

    return run


@pytest.mark.parametrize("harts", [1, 2])
@pytest.mark.parametrize("size", [60, 1514])
def test_two_guests_ping_each_other(vm, harts, size):
    result = batch("--harts", harts, vm(1, f"role=ping rounds=50 size={size}"), vm(2, f"role=pong size={size}"))
    assert result.status == 0, result.text + result.err
    assert "ping: 50 rounds" in result.text and "PASS ping" in result.text
    assert re.search(r"served: \d+ asked, 0 filled, 0 damaged, 0 of others", result.text)


def test_a_ping_costs_little(vm):
    """Both frames of it, both guests' drivers and interrupts, and the switches between the VMs on one hart."""
    result = batch("--icount", vm(1, "role=ping"), vm(2, "role=pong"))
    assert int(re.search(r"(\d+) ns each", result.text)[1]) < 18_000, result.text


def test_every_frame_is_counted(vm, ports):
    result, port = ports(["v1", "v2"], "--icount", vm(1, "role=ping rounds=100"), vm(2, "role=pong"))
    assert result.status == 0, result.err
    asked = int(re.search(r"(\d+) asked", result.text)[1])
    answers = asked + 1  # the last one says that it stops
    assert port["v2"]["sent"] == answers and port["v2"]["received"] == answers
    assert port["v1"]["received"] == answers and port["v1"]["received_bytes"] == 98 * answers
    assert port["v1"]["sent"] == answers + port["v2"]["down"] and port["v1"]["sent_bytes"] == 98 * port["v1"]["sent"]
    assert port["v1"]["mac"] == ADDRESS.format(1) and port["v1"]["net_switch"] == "lan"


@pytest.mark.parametrize("who, reached", [
    (({}, {}), True),
    (({"isolated": True}, {"isolated": True}), False),
    (({"isolated": True}, {}), True),
    (({"switch": "a"}, {"switch": "b"}), False),
    (({"switch": "a"}, {"switch": "a"}), True),
])
def test_H15_who_reaches_whom(vm, tmp_path, who, reached):
    script = tmp_path / "script"
    script.write_text("wait v1 ended\nwait v3 ended\npoweroff\n")
    result = batch("--icount", "--script", script, vm(1, "role=talk to=2 ms=50", **who[0]), vm(2, "role=pong", **who[1]),
                   vm(3, "role=talk to=4 ms=50", switch="c"), vm(4, "role=pong", switch="c"))
    assert f"talk: 2 was {'' if reached else 'not '}reached" in result.text, result.text + result.err
    assert "talk: 4 was reached" in result.text


@pytest.mark.parametrize("harts", [1, 2])
def test_H15_a_flood_reaches_its_receiver_and_disturbs_nobody_else(vm, ports, harts):
    """The sender waits for a receiver that takes as fast as it can. Two others play on."""
    result, port = ports(["v1", "v2", "v3", "v4"], "--harts", harts,
                         vm(1, "role=flood to=2 frames=20000 size=1514"), vm(2, "role=count"),
                         vm(3, "role=ping to=4 rounds=50"), vm(4, "role=pong"))
    assert result.status == 0, result.text + result.err
    assert port["v2"]["received"] + port["v2"]["down"] + port["v2"]["full"] >= 20000  # down: before it listens
    assert "0 damaged" in result.text and int(re.search(r"v2\] served: 0 asked, (\d+) filled", result.text)[1]) > 1000
    assert "ping: 50 rounds" in result.text


@pytest.mark.parametrize("harts", [1, 2])
def test_H15_a_deaf_receiver_stalls_nobody(vm, ports, harts):
    """It has no buffers: its sender waits 10 ms once, then its frames are dropped."""
    result, port = ports(["v1", "v3"], "--harts", harts, vm(1, "role=flood to=2 frames=5000 end=0"),
                         vm(2, "role=deaf ms=100000", "stop-timeout = 0"),
                         vm(3, "role=ping to=4 rounds=50"), vm(4, "role=pong"))
    assert port["v2"]["full"] + port["v2"]["down"] >= 5000 and port["v2"]["received"] == 0
    assert port["v1"]["sent"] >= 5000 and port["v2"]["waits"] <= 3
    assert "ping: 50 rounds" in result.text


def test_H15_one_that_sends_from_many_addresses_takes_none_from_others(vm, tmp_path):
    script = tmp_path / "script"
    script.write_text("wait v1 ended\nnet mac --json\nwait v2 ended\npoweroff\n")
    result = batch("--icount", "--script", script, vm(1, "role=flood to=255 frames=3000 sources=3000 end=0"),
                   vm(2, "role=ping to=3 rounds=300"), vm(3, "role=pong"))
    assert "ping: 300 rounds" in result.text, result.text + result.err
    macs = json.loads(re.search(r"^\[.*\]$", result.err, re.DOTALL | re.MULTILINE)[0])
    assert sum(not entry["fixed"] for entry in macs if entry["owner"] == "v1") == 32
    assert {entry["mac"] for entry in macs if entry["fixed"]} == {ADDRESS.format(n) for n in (1, 2, 3)}


def test_a_cable_that_is_pulled(vm, tmp_path):
    script = tmp_path / "script"
    script.write_text("sleep 0.02\nnet link v1 0 down\nsleep 0.02\nnet link v1 0 up\nwait v1 ended\n- net link v1 1 up\n"
                      "net ports --json\n")
    result = batch("--icount", "--script", script, vm(1, "role=link"))
    assert result.status == 0, result.err
    assert re.findall("link: (.*)", result.text) == ["up", "down", "up"]
    assert '"link": "up"' in result.err


def test_H13_stopping_and_starting_gives_everything_back(vm, tmp_path):
    stop = ["vm stop v1", "wait v1 ended"]
    again = ["vm delete v1", "vm create v1", "vm start v1", "sleep 0.01"]
    script = tmp_path / "script"
    script.write_text("\n".join(["sleep 0.01", *stop, *again, *stop, "mem --json", *(again + stop) * 30, "mem --json",
                                 "vm stop v2", "wait v2 ended"]))
    result = batch("--icount", "--script", script, vm(1, "role=flood to=2 frames=100000000", "stop-timeout = 0"),
                   vm(2, "role=count", "stop-timeout = 0"))
    assert result.status == 0, result.err
    before, after = documents(result.err)
    assert before == after


def test_two_devices_on_two_switches(tmp_path):
    def write(number: int, append: str, nets: str) -> str:
        path = tmp_path / f"v{number}.toml"
        path.write_text(f'kernel = "{guest("net")}"\nappend = "{append}"\nmemory = "16M"\n{nets}')
        return str(path)

    def net(switch: str, number: int) -> str:
        return f'[[net]]\nswitch = "{switch}"\nmac = "{ADDRESS.format(number)}"\n'

    result = batch("--icount", write(1, "role=ping nth=1 rounds=20", net("a", 1) + net("b", 1)),
                   write(2, "role=pong", net("b", 2)))
    assert result.status == 0 and "ping: 20 rounds" in result.text, result.text
