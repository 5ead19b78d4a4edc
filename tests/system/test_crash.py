"""
What a guest was told to be on its disk is there after the machine has gone: QEMU is killed while guests/journal writes.

Each chain of kills goes on with the disk as the last kill left it; there are fifty kills in all (200 with --long).
QEMU's block driver blklogwrites records what reached the disk and in which order. So each kill is looked at three
times: the image as it is; what a power cut leaves, where all is lost that was not flushed; and the same with a random
part of that written after all. The guest's next life begins with one of the three.
"""
import random
from pathlib import Path

import journal
import pytest
import writelog
from journal import Damaged
from killing import LONGEST_DELAY, Kept, again_and_again, run_until_killed
from machines import vm

ROUNDS = 10           # of a chain; four times as many with --long
ACKS_MAX = 120        # a kill comes within so many acknowledgements of all VMs

# How the guest of each VM has its writes put on the medium.
CHAINS = {
    "flush": ["yes"],
    "cache-off": ["none"],
    "flush-unknown": ["unknown"],
    "two-vms": ["yes", "none"],
    "three-vms": ["yes", "unknown", "yes"],
}


class Journal(Kept):
    """One VM, its disk, and what it has said of its journal."""

    def __init__(self, folder: Path, number: int, how: str):
        self.name = f"vm{number}"
        image, log, self.file = (folder / f"{self.name}.{kind}" for kind in ("img", "log", "toml"))
        super().__init__(image, log, number)
        image.write_bytes(bytes(journal.SIZE))
        self.file.write_text(f'kernel = "guest:journal"\nmemory = "16M"\nappend = "flush={how}"\n'
                             f'[[disk]]\nfile = "{image}"\n')

    def look(self, chosen: random.Random) -> None:
        """At the disk in all its forms, and leave one of them."""
        forms = self.forms(chosen)
        for form in forms:
            journal.check(form, self.acknowledged)
        self.look_back(chosen)
        self.image.write_bytes(chosen.choice(forms))

    def look_back(self, chosen: random.Random) -> None:
        """A power cut at any earlier time would have left a journal, too, and a later one no less of it."""
        ends = writelog.flushes(self.entries)
        moments = sorted(chosen.sample(ends, min(3, len(ends))))
        found = [journal.check(writelog.replay(self.base, self.entries[:end])) for end in moments]
        assert found == sorted(found)


def kill_again_and_again(folder: Path, hows: list[str], rounds: int) -> None:
    journals = [Journal(folder, number, how) for number, how in enumerate(hows)]

    def live_once(chosen: random.Random) -> None:
        words = [word for one in journals for word in one.before()]
        words += ["--harts", "2" if len(journals) > 2 else "1", *(one.file for one in journals)]
        out = run_until_killed(words, chosen.randint(1, ACKS_MAX), chosen.random() * LONGEST_DELAY)
        for one in journals:
            one.hear(out, one.name if len(journals) > 1 else "")
            one.look(chosen)

    again_and_again(live_once, rounds)


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
