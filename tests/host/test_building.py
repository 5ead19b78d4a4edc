"""What is seen of make."""
import subprocess
import sys

import pytest
from caisson import building, cli


@pytest.mark.parametrize("quiet, fails, shown", [(False, False, True), (True, False, False), (True, True, True)])
def test_quiet_shows_only_what_fails(monkeypatch, capfd, quiet, fails, shown):
    def run(command, stdout, stderr):
        return subprocess.run([sys.executable, "-c", f"print('CC x.c'); exit({int(fails)})"], stdout=stdout, stderr=stderr)

    monkeypatch.setattr(building.process, "run", run)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setitem(cli.COMMANDS, "run", lambda options: building.make(["all"], "no"))
    assert cli.main(["run", *["--quiet"] * quiet]) == (3 if fails else None)
    monkeypatch.setattr(building, "quiet", False)
    assert (b"CC x.c" in capfd.readouterr().err.encode()) == shown
