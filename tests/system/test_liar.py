"""Drivers that lie (guests/liar): a virtio device comes to need a reset and works again after it; nobody else notices."""
import re

import pytest

from machines import batch, guest
from test_neighbours import OWN_EXITS, alone, worked, worker  # noqa: F401 (fixtures)
from test_rounds import documents, scripted  # noqa: F401 (fixtures)

DEVICES = {"entropy": "entropy = true\n", "console": 'console = "virtio"\n', "block": '[[disk]]\nram = "1M"\n',
           "net": '[[net]]\nswitch = "liars"\nuplink = false\n'}


def liar(folder, device: str, rounds: int) -> str:
    path = folder / "bad.toml"
    path.write_text(f'name = "bad"\nkernel = "{guest("liar")}"\nappend = "device={device} rounds={rounds}"\nmemory = "16M"\n'
                    + "stop-timeout = 0\n" + DEVICES[device])
    return str(path)


@pytest.mark.parametrize("device", DEVICES)
def test_misdeeds(tmp_path, device):
    result = batch(liar(tmp_path, device, 2), "--log", tmp_path / "log")
    lines = result.text.replace("\0", "").splitlines()
    assert result.status == 0 and lines[-1] == f"PASS {device}", result.text
    came = [line for line in lines if line.startswith("ok ")]
    assert len(came) == 2 * 55 and sum("needs a reset" in line for line in came) >= 2 * 38
    log = (tmp_path / "log").read_text()
    said = re.findall(r"the guest's driver breaks the rules: (.*)", log)
    assert len(said) == 8 and said[-1].endswith("(that is the last that is said of it)")


@pytest.mark.parametrize("device", DEVICES)
def test_H15_work_beside_a_liar(alone, worker, tmp_path, device):  # noqa: F811
    lines, use = worked([worker, liar(tmp_path, device, 0)], tmp_path / "log")
    assert lines == alone[0]
    assert abs(use["us"] - alone[1]["us"]) < alone[1]["us"] / 100, "less than 1 % of its own time"
    assert {kind: use[kind] for kind in OWN_EXITS} == {kind: alone[1][kind] for kind in OWN_EXITS}


@pytest.mark.parametrize("device", DEVICES)
def test_stopped_in_the_middle_of_it(scripted, tmp_path, device):  # noqa: F811
    """Again and again, wherever it is: not one frame is missing in the end."""
    bad = liar(tmp_path, device, 0)
    lines = []
    for n in range(50):
        lines += ["vm start bad", f"sleep 0.00{n % 9 + 1}", "vm stop bad", "wait bad ended"]
        lines += ["mem --json"] if n in (0, 49) else []
    result = scripted(["vm stop bad", "wait bad ended", *lines], bad)
    before, after = documents(result.err)
    assert result.text.count("FAIL") == 0 and result.text.count("ok loop") > 20
    assert before == after
