"""
What a guest was told to be on its disk is there after the machine has gone: QEMU is killed while guests/journal writes.

Each chain of kills goes on with the disk as the last kill left it; there are fifty kills in all (200 with --long).
QEMU's block driver blklogwrites records what reached the disk and in which order. So each kill is looked at three
times: the image as it is; what a power cut leaves, where all is lost that was not flushed; and the same with a random
part of that written after all. The guest's next life begins with one of the three.
"""
import random
from pathlib import Path
from typing import Callable

import journal
import pytest
import writelog
from journal import Damaged
from killing import LONGEST_DELAY, Kept, Writer, again_and_again, run_until_killed
from machines import vm
from test_block import mbr

ROUNDS = 9            # of a chain; four times as many with --long
ACKS_MAX = 120        # a kill comes within so many acknowledgements of all VMs


class Journal(Writer):
    """One VM and its journal."""

    def __init__(self, folder: Path, name: str, how: str, disk: str, view: Callable[[bytes], bytes] = bytes):
        """how: the guest has its writes put on the medium; view: of an image's bytes, what the VM has."""
        super().__init__(name)
        self.view, self.file = view, folder / f"{name}.toml"
        self.file.write_text(f'kernel = "guest:journal"\nmemory = "16M"\nappend = "flush={how}"\n[[disk]]\n{disk}\n')

    def check(self, image: bytes, acknowledged: int = 0) -> int:
        return journal.check(self.view(image), acknowledged)


class Disk(Kept):
    """A disk of the machine with journals on it."""

    def __init__(self, image: Path, number: int, content: bytes, *journals: Journal):
        super().__init__(image, number)
        image.write_bytes(content)
        self.journals = journals

    def look(self, chosen: random.Random) -> None:
        """At the disk in all its forms, and leave one of them."""
        forms = self.forms(chosen)
        for one in self.journals:
            for form in forms:
                one.check(form, one.acknowledged)
            self.look_back(one, chosen)
        self.image.write_bytes(chosen.choice(forms))

    def look_back(self, one: Journal, chosen: random.Random) -> None:
        """A power cut at any earlier time would have left a journal, too, and a later one no less of it."""
        ends = writelog.flushes(self.entries)
        moments = sorted(chosen.sample(ends, min(3, len(ends))))
        found = [one.check(writelog.replay(self.base, self.entries[:end])) for end in moments]
        assert found == sorted(found)


def plain(*hows: str) -> Callable[[Path], list[Disk]]:
    """VMs with an image each."""
    def make(folder: Path) -> list[Disk]:
        disks = []
        for number, how in enumerate(hows):
            image = folder / f"vm{number}.img"
            one = Journal(folder, f"vm{number}", how, f'file = "{image}"')
            disks.append(Disk(image, number, bytes(journal.SIZE), one))
        return disks

    return make


def parts(folder: Path) -> list[Disk]:
    """Two VMs on two parts of one image."""
    image, sectors = folder / "parts.img", journal.SIZE // 512
    firsts = 64, 64 + sectors
    table = mbr(*((0x83, first, sectors) for first in firsts))
    journals = [Journal(folder, f"vm{number}", how, f'file = "{image}"\npart = {number + 1}',
                        lambda form, first=first: form[first * 512:][:journal.SIZE])
                for number, (first, how) in enumerate(zip(firsts, ("yes", "none")))]
    return [Disk(image, 0, table.ljust(firsts[1] * 512 + journal.SIZE, b"\0"), *journals)]


def stores(folder: Path) -> list[Disk]:
    """Two VMs with one image between them, whose changes are kept in a file each."""
    base = folder / "base.img"
    base.write_bytes(random.Random(1).randbytes(journal.SIZE))

    def see(form: bytes) -> bytes:
        return writelog.through_store(base.read_bytes(), form)

    disks = []
    for number, how in ((1, "yes"), (2, "unknown")):
        store = folder / f"store{number}.img"
        one = Journal(folder, f"vm{number}", how, f'file = "{base}"\noverlay = "{store}"', see)
        disks.append(Disk(store, number, bytes((2 << 20) + journal.SIZE), one))
    return disks


CHAINS = {"flush": plain("yes"), "cache-off": plain("none"), "flush-unknown": plain("unknown"),
          "three-vms": plain("yes", "none", "yes"), "parts": parts, "stores": stores}


def kill_again_and_again(disks: list[Disk], rounds: int) -> None:
    journals = [one for disk in disks for one in disk.journals]
    if len(journals) == 1:
        journals[0].name = ""

    def live_once(chosen: random.Random) -> None:
        words = [word for disk in disks for word in disk.before()]
        words += ["--harts", "2" if len(journals) > 2 else "1", *(one.file for one in journals)]
        out = run_until_killed(words, chosen.randint(1, ACKS_MAX), chosen.random() * LONGEST_DELAY)
        for one in journals:
            one.hear(out)
        for disk in disks:
            disk.look(chosen)

    again_and_again(live_once, rounds)


@pytest.mark.parametrize("chain", CHAINS)
def test_what_was_flushed_survives_a_kill(tmp_path, chain, request):
    kill_again_and_again(CHAINS[chain](tmp_path), ROUNDS * (4 if request.config.getoption("--long") else 1))


def test_a_disk_that_is_never_flushed_is_found_out(tmp_path):
    """The test of the test: a guest that acknowledges what it has not flushed."""
    with pytest.raises(AssertionError, match="was acknowledged, but the journal ends with 0"):
        kill_again_and_again(plain("never")(tmp_path), 1)


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
