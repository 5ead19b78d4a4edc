"""The machine's network device: frames that apps/ether sends and receives, byte for byte, with a peer in this process."""
import json
import random
import re
import socket
import threading

import pytest
from machines import CAISSON, PATIENCE, caisson, kill_all, run, start, wait_for_text
from test_failalloc import SWITCHES, every_n, said_why

MODERN = ("--qemu-arg=-global", "--qemu-arg=virtio-mmio.force-legacy=false")
MAC = bytes.fromhex("525400123456")
PEER = bytes.fromhex("020000000001")
TYPE = b"\x88\xb5"


class Wire:
    """The other end of the cable, and the machine."""

    def __init__(self, folder):
        self.folder = folder
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "peer"))
        self.socket.settimeout(PATIENCE)
        self.child = None

    def start(self, commands: str, *words, device: str = ""):
        netdev = (f"dgram,id=net0,local.type=unix,local.path={self.folder}/machine,"
                  f"remote.type=unix,remote.path={self.folder}/peer")
        qemu = ["-netdev", netdev, "-device", f"virtio-net-device,netdev=net0,id=nic{device}",
                "-qmp", f"unix:{self.folder}/qmp,server=on,wait=off"]
        self.child = start([CAISSON, "app", "--log", self.folder / "log", *MODERN, *(f"--qemu-arg={word}" for word in qemu),
                            *words, "ether", *commands.split()])

    def receive(self) -> bytes:
        return self.socket.recv(65536)

    def send(self, frame: bytes):
        self.socket.sendto(frame, str(self.folder / "machine"))

    def end(self, status: int = 0) -> str:
        """What it printed since the last line()."""
        limit = threading.Timer(PATIENCE, kill_all, [self.child])
        limit.start()
        out, err = self.child.stdout.read().decode(), self.child.stderr.read().decode()
        limit.cancel()
        assert self.child.wait(PATIENCE) == status, out + err + self.log()
        return out

    def line(self) -> str:
        return self.child.stdout.readline().decode()

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def qmp(self, **command):
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(self.folder / "qmp"))
            answers = monitor.makefile("rw")
            answers.readline()
            for words in ({"execute": "qmp_capabilities"}, command):
                answers.write(json.dumps(words))
                answers.flush()
                assert "return" in json.loads(answers.readline())

    def close(self):
        if self.child:
            kill_all(self.child)
        self.socket.close()


@pytest.fixture
def wire(tmp_path):
    wire = Wire(tmp_path)
    yield wire
    wire.close()


def numbered(number: int, size: int) -> bytes:
    """What the command send sends."""
    rest = bytes((at * 7 + number) & 0xFF for at in range(16, size))
    return b"\xff" * 6 + MAC + TYPE + number.to_bytes(2, "big") + rest


@pytest.mark.parametrize("harts, device", [(1, ""), (4, ""), (1, ",mrg_rxbuf=off"), (1, ",event_idx=off"),
                                           (1, ",tx=timer,x-txtimer=100000")])
def test_what_comes_is_sent_back(wire, harts, device):
    count, draw = 400, random.Random(harts)
    wire.start(f"mirror {count}", "--harts", harts, device=device)
    assert wire.line() == "net0: 52:54:00:12:34:56, MTU 1500, link up\n"
    sizes = [draw.choice([60, 61, 590, 1513, 1514, draw.randrange(60, 1515)]) for _ in range(count)]
    for first in range(0, count, 20):
        frames = [MAC + PEER + TYPE + draw.randbytes(size - 14) for size in sizes[first:first + 20]]
        for frame in frames:
            wire.send(frame)
        for frame in frames:
            assert wire.receive() == PEER + MAC + frame[12:]
    assert wire.end() == f"mirror: {count} frames\n"


@pytest.mark.parametrize("harts", [1, 4])
def test_many_at_once_arrive_in_their_order(wire, harts):
    """More than there is room for, and a peer that takes ten at a time."""
    wire.start("send 1000 1514 send 500 17", "--harts", harts)
    for count, size in ((1000, 1514), (500, 17)):
        for number in range(count):
            assert wire.receive()[:size] == numbered(number, size)
    assert wire.end().splitlines()[1:] == ["send: 1000 frames of 1514 bytes", "send: 500 frames of 17 bytes"]


def test_the_link(wire):
    wire.start("link link send 1 60")
    assert wire.line().endswith("link up\n") and wire.line() == "link: it is up\n"
    wire.qmp(execute="set_link", arguments={"name": "nic", "up": False})
    assert wire.line() == "link: it is down\n" and wire.line() == "link: it is down\n"
    wire.qmp(execute="set_link", arguments={"name": "nic", "up": True})
    assert wire.line() == "link: it is up\n"
    assert wire.receive() == numbered(0, 60)
    assert wire.end() == "send: 1 frames of 60 bytes\n"
    assert "net0: link down" in wire.log()


def test_a_peer_that_takes_nothing_for_long_costs_frames_not_the_device(wire):
    wire.start("send 30 1514 mirror 1")
    wire.line()
    assert "were not sent" in wire.line()
    wait_for_text(wire.folder / "log", "net0: sends nothing: reset", wire.child)
    wire.send(MAC + PEER + TYPE + bytes(46))
    frames = []
    while PEER + MAC + TYPE + bytes(46) not in frames:  # those that were kept for us come first
        frames.append(wire.receive())
    assert frames[:5] == [numbered(number, 1514) for number in range(5)]
    assert wire.end(status=1) == "mirror: 1 frames\n"
    assert wire.log().count("net0: sends nothing: reset") == 1


def test_what_a_frame_costs():
    """Three segments; counted, so that the test is the same on every machine."""
    result = caisson("app", "--icount", "--net", "ether", "cost", "10", "1514")
    found = re.search(r"^cost: (\d+) instructions to send, (\d+) to end$", result.text, re.MULTILINE)
    assert result.status == 0 and found, result.text
    assert 100 < int(found[1]) < 1000 and 50 < int(found[2]) < 300


def test_without_a_device(tmp_path):
    result = caisson("app", "--log", tmp_path / "log", "ether")
    assert (result.status, result.text) == (1, "net0: no such network device\n")


def test_M1_every_allocation_with_a_network_fails_once():
    """Then it is not there, or something is not sent, and the log or the application says so."""
    from caisson import building, nets

    chosen = building.Variant(app="ether", switches=SWITCHES)
    building.build(chosen)

    def start(n):
        n = n if n < 32 else 32 + (n - 32) * 16  # of the pages for what comes, each sixteenth
        result = run(["qemu-system-riscv64", "-M", "virt", "-smp", "2", "-m", "64M", "-nodefaults", "-display", "none",
                      "-serial", "stdio", "-kernel", chosen.image, *nets.qemu_words(True),
                      "-append", f"failalloc={n} -- send 4 1514 ping 10.0.2.2 2 100"])
        return result.status, result.text[result.text.find("boot: entered"):], result.text

    def check(n, status, log, out):
        if "of 2 echoes" in out and "error" not in out.split("boot: main")[1]:
            return
        said = re.search("net0: (no such|error -12)|send 4: error -12|nobody has that|that cannot be", out)
        assert said or said_why(log), f"allocation {n}: status {status}\n{out}"

    assert every_n(start, check) > 15
