"""Overlays: several guests share one image, each sees only what it has written itself, and the image stays as it is."""
import re

import journal
import pytest
from machines import batch, vm

FOUND = 90  # records in the shared image, at least


@pytest.fixture
def base(tmp_path):
    """An image with a journal, and where that ends."""
    image = tmp_path / "base.img"
    image.write_bytes(bytes(journal.SIZE))
    vm("journal", "--disk", image, append=f"limit={FOUND}")
    return image, journal.check(image.read_bytes(), FOUND)


@pytest.fixture
def sharing(toml, base):
    """The TOML file of a VM with an overlay of that image: sharing(name, boot arguments)."""
    def write(name: str, append: str, how: str = "overlay = true") -> str:
        path = toml(name, kernel="guest:journal", memory="16M", append=append)
        with open(path, "a") as file:
            file.write(f'[[disk]]\nfile = "{base[0]}"\n{how}\n')
        return path

    return write


def said(result, name: str) -> list[int]:
    return [int(number) for number in re.findall(rf"^\[{name}\] (?:found|ack) (\d+)\.", result.text, re.MULTILINE)]


def test_guests_share_an_image_and_see_only_their_own_changes(sharing, base):
    """Each goes on with the journal at its own pace; one begins when others have long written, and finds the base's."""
    image, found = base
    before = image.read_bytes()
    limits = {"few": found + 5, "some": found + 60, "many": found + 300}
    result = batch(*(sharing(name, f"limit={limit}") for name, limit in limits.items()),
                   sharing("reader", "do=check", "read-only = true"), "--harts", "2")
    assert result.status == 0, result.err
    for name, limit in limits.items():
        numbers = said(result, name)
        assert numbers[0] == found and limit <= numbers[-1] < limit + journal.BATCH_MAX and numbers == sorted(numbers)
    assert said(result, "reader") == [found]
    assert image.read_bytes() == before
