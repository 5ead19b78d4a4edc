"""Running ./caisson without QEMU: CAISSON_QEMU names a script that plays it."""
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 400  # seconds; a busy machine takes long
FAKE_QEMU = Path(__file__).parent / "fake_qemu.py"


class Tool:
    """Runs ./caisson with the fake QEMU, in a folder of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.environment = {**os.environ, "CAISSON_QEMU": str(FAKE_QEMU), "CAISSON_IMAGE": str(FAKE_QEMU),
                            "FAKE_QEMU_RECORD": str(folder / "record"), "XDG_CACHE_HOME": str(folder / "cache")}

    def start(self, *words, script: str = "", **options) -> subprocess.Popen:
        """script: what the fake QEMU does, in Python (fake_qemu.py)."""
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                   "cwd": self.folder, **options}
        environment = {**self.environment, "FAKE_QEMU_SCRIPT": script}
        return subprocess.Popen([str(ROOT / "caisson"), *map(str, words)], env=environment, **options)

    def run(self, *words, script: str = "", data: bytes | None = None, **options):
        """The finished process with its status, stdout and stderr (bytes)."""
        if data is not None:
            options["stdin"] = subprocess.PIPE
        with self.start(*words, script=script, **options) as child:
            try:
                out, err = child.communicate(data, timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
                raise
        return subprocess.CompletedProcess(words, child.returncode, out, err)

    def file(self, name: str, content: bytes | str = b"kernel bytes") -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def record(self) -> list[str]:
        """The command line that the fake QEMU was started with."""
        return (self.folder / "record").read_text().split("\0")

    def started(self) -> bool:
        return (self.folder / "record").exists()
