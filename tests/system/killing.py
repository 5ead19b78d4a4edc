"""Killing QEMU at a random moment while its guests acknowledge what they have written."""
import os
import random
import select
import time
from pathlib import Path
from typing import Callable

import journal
import writelog
from machines import CAISSON, PATIENCE, kill_all, qemu_below, start

LONGEST_DELAY = 0.02  # seconds from an acknowledgement to the kill


def again_and_again(live_once: Callable[[random.Random], None], rounds: int) -> None:
    """CAISSON_SEED has the same choices made once more; what they meet differs a little with the host's timing."""
    seed = int(os.environ.get("CAISSON_SEED") or random.randrange(1 << 32))
    chosen = random.Random(seed)
    for number in range(rounds):
        try:
            live_once(chosen)
        except AssertionError as error:
            raise AssertionError(f"round {number} of CAISSON_SEED={seed}: {error}") from error


def run_until_killed(words: list, acks: int, delay: float) -> bytes:
    """What the VMs wrote until QEMU's end, which comes so many acknowledgements and seconds after the start."""
    child = start([CAISSON, "run", "--batch", *words])
    try:
        out = read_acks(child, acks)
        time.sleep(delay)
        for pid in qemu_below(child.pid):
            os.kill(pid, 9)
        rest, err = child.communicate(timeout=PATIENCE)
    finally:
        kill_all(child)
    assert child.returncode == 3 and b"QEMU was killed by signal 9" in err, (out + rest, err)
    return out + rest


def read_acks(child, n: int) -> bytes:
    """What comes until n acknowledgements have come."""
    out = b""
    while out.count(b"ack ") < n:
        assert select.select([child.stdout], [], [], PATIENCE)[0], f"nothing more after {out[-3000:].decode(errors='replace')}"
        data = os.read(child.stdout.fileno(), 1 << 16)
        assert data, f"ended early: {out[-3000:].decode(errors='replace')}\n{child.stderr.read()[-2000:]!r}"
        out += data
    return out


class Writer:
    """A VM that acknowledges what it has written: a journal, or lines of a file."""

    def __init__(self, name: str = ""):
        self.name = name  # of one among several
        self.acknowledged = 0

    def hear(self, out: bytes) -> None:
        """What the VM found is no less than what was acknowledged; then it went on."""
        said = journal.acknowledged(out, self.name)
        if said:
            assert said == sorted(said) and said[0] >= self.acknowledged, (self.acknowledged, said)
            self.acknowledged = said[-1]


class Kept:
    """A disk of the machine: what is written to it is logged."""

    def __init__(self, image: Path, number: int = 0, atom: int = writelog.SECTOR):
        self.image, self.log, self.number, self.atom = image, image.with_suffix(".log"), number, atom

    def before(self) -> list[str]:
        """Keep what is on the disk. Words for ./caisson."""
        self.base = self.image.read_bytes()
        self.log.write_bytes(b"")
        return writelog.options(self.number, self.log)

    def forms(self, chosen: random.Random) -> list[bytes]:
        """The disk as it is, after a power cut, and after one that some of what was not flushed came through."""
        self.entries = writelog.read(self.log)
        return [self.image.read_bytes(), writelog.power_cut(self.base, self.entries),
                writelog.power_cut(self.base, self.entries, chosen, self.atom)]
