"""apt with configurations of our own: other suites and architectures, without touching the system's."""
import os
import re
import shutil
import sys
from pathlib import Path

from caisson import paths, process
from caisson.errors import CannotStart

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_ARCHIVE = "http://deb.debian.org/debian"
_SECURITY = "http://deb.debian.org/debian-security"
_PATIENCE = ["-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::Languages=none"]
_INSTALL = ["install", "-y", "--no-install-recommends"]
# QEMU and its firmware come from the backports, libraries only where QEMU needs the newer ones:
# others would not go with Debian 12's own gdb.
BACKPORTS_PREFERENCES = """\
Package: qemu-system-* opensbi
Pin: release n=bookworm-backports
Pin-Priority: 990
"""


def source(uri: str, types: str, suites: str, architecture: str = "") -> str:
    """One entry of an apt sources file; apt checks the suite's signature against Debian's keys."""
    lines = [f"Types: {types}", f"URIs: {uri}", f"Suites: {suites}", "Components: main", f"Signed-By: {KEYRING}"]
    return "\n".join(lines + ([f"Architectures: {architecture}"] if architecture else [])) + "\n"


def backports_sources() -> str:
    """Debian 12 with its backports, where the newer QEMU is."""
    return (source(_ARCHIVE, "deb", "bookworm bookworm-updates bookworm-backports") + "\n"
            + source(_SECURITY, "deb", "bookworm-security"))


def guest_sources(types: str) -> str:
    """Debian 13 for riscv64: `deb` for guests, `deb-src` for libraries."""
    return source(_ARCHIVE, types, "trixie", "riscv64")


class Area:
    """A set of sources with package lists of its own, in the cache."""

    def __init__(self, name: str, sources: str, foreign: bool, preferences: str = ""):
        """foreign: packages of another architecture, which are only downloaded, never installed."""
        self._folder = paths.cache() / "apt" / name
        self._sources = sources
        self._foreign = foreign
        self._preferences = preferences

    def update(self) -> None:
        """Fetch the package lists anew. Raises CannotStart."""
        self._prepare()
        self.get(["update", "-o", "APT::Update::Error-Mode=any"], "Debian's package lists could not be fetched (no network?)")

    def updated(self) -> bool:
        return any((self._folder / "lists").glob("*_InRelease"))

    def get(self, words: list[str], failure: str, cwd: Path | None = None) -> None:
        """Run apt-get with this configuration, its progress on standard error."""
        if process.run([*apt_get(), *self._options(), *words], cwd=cwd, env=environment()).returncode:
            raise CannotStart(failure)

    def install(self, words: list[str], as_root: list[str]) -> bool:
        """Install packages on this computer with this configuration."""
        return install([*self._options(), *words], as_root)

    def resolve(self, names: list[str]) -> list[Path]:
        """The newest packages of these names with all that they need, as download() leaves their files."""
        command = [*apt_get(), *self._options(), *_INSTALL, *names, "--simulate"]
        result = process.run(command, stdout=-1, env=environment())
        if result.returncode:
            raise CannotStart("Debian cannot install these packages together")
        found = re.findall(r"^Inst (\S+) \((\S+) .*\[(\S+)\]\)", result.stdout.decode(), re.MULTILINE)
        return [self._folder / "cache/archives" / f"{name}_{version.replace(':', '%3a')}_{architecture}.deb"
                for name, version, architecture in found]

    def download(self, names: list[str], failure: str) -> None:
        """Fetch what resolve() names; none is installed. The files stay until forget()."""
        self.get([*_INSTALL, *names, "--download-only"], failure)

    def forget(self) -> None:
        """Remove the packages that were fetched."""
        for deb in (self._folder / "cache/archives").glob("*.deb"):
            deb.unlink()

    def show(self, package: str) -> dict[str, str]:
        """The newest version's record: field -> value. Continuation lines are dropped."""
        command = [_program("apt-cache"), *self._options(), "show", "--no-all-versions", package]
        result = process.run(command, stdout=-1, env=environment())
        if result.returncode:
            raise CannotStart(f"Debian has no package {package} any more")
        lines = result.stdout.decode(errors="replace").split("\n\n")[0].splitlines()
        return dict(line.split(": ", 1) for line in lines if ": " in line and not line.startswith(" "))

    def _prepare(self) -> None:
        for folder in ("sources.d", "preferences.d", "lists/partial", "cache/archives/partial"):
            (self._folder / folder).mkdir(parents=True, exist_ok=True)
        (self._folder / "sources.d" / "caisson.sources").write_text(self._sources)
        (self._folder / "preferences.d" / "caisson.pref").write_text(self._preferences)
        (self._folder / "status").touch()

    def _options(self) -> list[str]:
        folder = self._folder
        pairs = {
            "Dir::Etc::SourceList": "/dev/null",
            "Dir::Etc::SourceParts": folder / "sources.d",
            "Dir::State::lists": folder / "lists",
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::Etc::PreferencesParts": folder / "preferences.d",
            "Dir::Cache": folder / "cache",
            "APT::Sandbox::User": "root",  # the cache folder is not readable for apt's own user
        }
        if self._foreign:
            pairs |= {
                "Dir::State::status": folder / "status",
                "APT::Architecture": "riscv64",
                "APT::Architectures": "riscv64",
            }
        return [word for key, value in pairs.items() for word in ("-o", f"{key}={value}")]


def apt_get() -> list[str]:
    """The program and the words that every call has."""
    quiet = [] if sys.stderr.isatty() else ["-qq"]
    return [_program("apt-get"), *quiet, *_PATIENCE]


def install(words: list[str], as_root: list[str]) -> bool:
    """apt-get install. as_root: the words that give root's rights. Returns whether it went well."""
    command = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", *apt_get(), "-o", "DPkg::Lock::Timeout=300",
               "-o", "Dpkg::Use-Pty=0", "install", "-y", "--no-install-recommends", *words]
    return process.run_to_its_own_end(command) == 0


def environment() -> dict[str, str]:
    """apt asks no questions and speaks English."""
    return {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


def _program(name: str) -> str:
    path = shutil.which(name)
    if not path:
        raise CannotStart(f"{name}: no such program; Caisson's set-up needs Debian's apt")
    return path
