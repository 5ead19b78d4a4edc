"""
What a guest was told to be on its disk is there after the machine has gone: QEMU is killed while guests/journal writes.

Each chain of kills goes on with the disk as the last kill left it; there are fifty kills in all (200 with --long).
QEMU's block driver blklogwrites records what reached the disk and in which order. So each kill is looked at three
times: the image as it is; what a power cut leaves, where all is lost that was not flushed; and the same with a random
part of that written after all. The guest's next life begins with one of the three.
"""
import os
import random
import time
from pathlib import Path

import journal
import pytest
import writelog
from journal import Damaged
from machines import CAISSON, kill_all, qemu_below, start, vm

ROUNDS = 10           # of a chain; four times as many with --long
ACKS_MAX = 120        # a kill comes within so many acknowledgements of all VMs
LONGEST_DELAY = 0.02  # seconds from the last of them to the kill

# How the guest of each VM has its writes put on the medium.
CHAINS = {
    "flush": ["yes"],
    "cache-off": ["none"],
    "flush-unknown": ["unknown"],
    "two-vms": ["yes", "none"],
    "three-vms": ["yes", "unknown", "yes"],
}


def new_seed() -> int:
    """CAISSON_SEED has the same choices made once more; when they meet what the machine does differs a little."""
    return int(os.environ.get("CAISSON_SEED") or random.randrange(1 << 32))


class Journal:
    """One VM, its disk, and what it has said of its journal."""

    def __init__(self, folder: Path, number: int, how: str):
        self.name, self.number = f"vm{number}", number
        self.image, self.log, self.file = (folder / f"{self.name}.{kind}" for kind in ("img", "log", "toml"))
        self.image.write_bytes(bytes(journal.SIZE))
        self.file.write_text(f'kernel = "guest:journal"\nmemory = "16M"\nappend = "flush={how}"\n'
                             f'[[disk]]\nfile = "{self.image}"\n')
        self.acknowledged = 0

    def before(self) -> list[str]:
        """Keep what is on the disk. Words for ./caisson."""
        self.base = self.image.read_bytes()
        self.log.write_bytes(b"")
        return writelog.options(self.number, self.log)

    def after(self, out: bytes, alone: bool, chosen: random.Random) -> None:
        """Look at the disk in all its forms, and leave one of them."""
        said = journal.acknowledged(out, "" if alone else self.name)
        if said:
            assert said == sorted(said) and said[0] >= self.acknowledged, (self.acknowledged, said)
            self.acknowledged = said[-1]
        entries = writelog.read(self.log)
        forms = [self.image.read_bytes(), writelog.power_cut(self.base, entries),
                 writelog.power_cut(self.base, entries, chosen)]
        for form in forms:
            journal.check(form, self.acknowledged)
        self.look_back(entries, chosen)
        self.image.write_bytes(chosen.choice(forms))

    def look_back(self, entries: list[writelog.Entry], chosen: random.Random) -> None:
        """A power cut at any earlier time would have left a journal, too, and a later one no less of it."""
        ends = writelog.flushes(entries)
        moments = sorted(chosen.sample(ends, min(3, len(ends))))
        found = [journal.check(writelog.replay(self.base, entries[:end])) for end in moments]
        assert found == sorted(found)


class Machine:
    """VMs that keep a journal each, until QEMU is killed."""

    def __init__(self, folder: Path, hows: list[str], chosen: random.Random):
        self.chosen = chosen
        self.journals = [Journal(folder, number, how) for number, how in enumerate(hows)]

    def live_once(self) -> None:
        words = [word for one in self.journals for word in one.before()]
        words += ["--harts", "2" if len(self.journals) > 2 else "1"]
        out = self.run_until_killed([*words, *(one.file for one in self.journals)])
        for one in self.journals:
            one.after(out, len(self.journals) == 1, self.chosen)

    def run_until_killed(self, words: list) -> bytes:
        """What the VMs wrote until QEMU's end, which is some acknowledgements away and a moment more."""
        child = start([CAISSON, "run", "--batch", *words])
        try:
            out = read_acks(child, self.chosen.randint(1, ACKS_MAX))
            time.sleep(self.chosen.random() * LONGEST_DELAY)
            for pid in qemu_below(child.pid):
                os.kill(pid, 9)
            rest, err = child.communicate(timeout=30)
        finally:
            kill_all(child)
        assert child.returncode == 3 and b"QEMU was killed by signal 9" in err, (out + rest, err)
        return out + rest


def read_acks(child, n: int) -> bytes:
    out = b""
    while out.count(b"ack ") < n:
        data = os.read(child.stdout.fileno(), 1 << 16)
        assert data, f"ended early: {out[-500:]!r}\n{child.stderr.read()[-2000:]!r}"
        out += data
    return out


def kill_again_and_again(folder: Path, hows: list[str], rounds: int) -> None:
    seed = new_seed()
    machine = Machine(folder, hows, random.Random(seed))
    for number in range(rounds):
        try:
            machine.live_once()
        except AssertionError as error:
            raise AssertionError(f"round {number} of CAISSON_SEED={seed}: {error}") from error


@pytest.mark.parametrize("chain", CHAINS)
def test_what_was_flushed_survives_a_kill(tmp_path, chain, request):
    kill_again_and_again(tmp_path, CHAINS[chain], ROUNDS * (4 if request.config.getoption("--long") else 1))


def test_a_disk_that_is_never_flushed_is_found_out(tmp_path):
    """The test of the test: a guest that acknowledges what it has not flushed."""
    with pytest.raises(AssertionError, match="was acknowledged, but the journal ends with 0"):
        kill_again_and_again(tmp_path, ["never"], 1)


def test_the_guest_finds_the_same_journal(tmp_path):
    """What it finds by itself is what the tests find on the image; a byte that differs costs it the record."""
    image = tmp_path / "image"
    image.write_bytes(bytes(journal.SIZE))
    vm("journal", "--disk", image, append="limit=200")
    content = bytearray(image.read_bytes())
    found = journal.check(content)
    assert found >= 200
    assert vm("journal", "--disk", image, append="do=check").text == f"found {found}.\n"
    content[(found - 20) % journal.SLOTS * journal.RECORD_SECTORS * journal.SECTOR + 300] ^= 1
    image.write_bytes(content)
    with pytest.raises(Damaged, match=f"not \\[{found - 20}\\]"):
        journal.check(content)
    result = vm("journal", "--disk", image, append="do=check")
    assert result.status == 1 and f"but record {found - 20} is not whole" in result.text
