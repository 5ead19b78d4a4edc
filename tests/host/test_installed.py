"""An installed Debian's making, as far as no guest is needed: options, the cache, what dpkg reads of the first stage."""
import json
import os
import subprocess
import sys

import pytest
from caisson import firststage, installed, modules, secondstage

needs_tools = pytest.mark.skipif(not all(map(os.path.exists, ("/usr/bin/fakeroot", "/sbin/mke2fs", "/sbin/depmod"))),
                                 reason="fakeroot and e2fsprogs are not installed")


@pytest.fixture
def made(tool):
    """A cache that has an image already: an empty file system."""
    folder = tool.folder / "cache" / "caisson" / "guests" / "installed"
    folder.mkdir(parents=True)
    image = folder / installed.DISK
    subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", image, str(installed.SIZE >> 10) + "k"], check=True)
    image.chmod(0o444)
    (folder / "packages.json").write_text(json.dumps({"recipe": installed.Recipe().key, "packages": []}))
    return image


@pytest.mark.parametrize("words, reason", [
    ([], "FILE"),
    (["there.img"], "there.img: is there already"),
    (["no/folder.img"], "no/folder.img: there is no such folder"),
    (["new.img", "--size", "1G"], "--size 1G: at least 2G"),
    (["new.img", "--size", "3G1"], "--size 3G1: "),
    (["new.img", "--size", "2147483649"], "--size 2147483649: at least 2G, in multiples of 4K"),
    (["new.img", "--packages", "gcc,--force"], "--packages gcc,--force: '--force' is not a package's name"),
    (["new.img", "--packages", "Gcc"], "'Gcc' is not a package's name"),
])
def test_bad_usage(tool, words, reason):
    tool.file("there.img")
    result = tool.run("image", "debian", *words)
    assert result.returncode == 2 and reason in result.stderr.decode(), result.stderr
    assert not (tool.folder / "new.img").exists() and not (tool.folder / "cache" / "caisson" / "guests").exists()


def test_other_systems_are_not_known(tool):
    assert tool.run("image", "plan9", "new.img").returncode == 2


@needs_tools
def test_an_image_is_a_copy_of_the_cache_and_as_large_as_asked(tool, made):
    for words, size in (([], installed.SIZE), (["--size", "3G"], 3 << 30)):
        image = tool.folder / f"{size}.img"
        result = tool.run("image", "debian", image, *words)
        assert result.returncode == 0, result.stderr
        assert os.access(image, os.W_OK) and image.stat().st_size == size
        assert image.stat().st_blocks * 512 < 200 << 20, "the copy is not sparse"
        subprocess.run(["/sbin/e2fsck", "-fn", image], check=True, capture_output=True)
        said = subprocess.run(["/sbin/dumpe2fs", "-h", image], check=True, capture_output=True).stdout.decode()
        assert f"Block count:              {size >> 12}\n" in said
    assert tool.run("image", "debian", "one.img", "--size", "3G").returncode == 0
    assert sorted(path.name for path in tool.folder.glob("*.img*")) == sorted([f"{2 << 30}.img", f"{3 << 30}.img", "one.img"])


def test_a_recipe_is_its_packages_and_its_files(monkeypatch):
    recipe = installed.recipe
    assert recipe("gcc, make").folder == recipe("make,gcc,make,fio").folder != recipe(None).folder
    assert recipe("gcc").key != recipe(None).key == recipe("").key == installed.Recipe().key
    before = recipe(None).key
    monkeypatch.setitem(secondstage.FILES, "etc/hostname", "other\n")
    assert recipe(None).key != before


def package(folder, name: str, control: str = "", files: dict[str, str] | None = None, parts: dict[str, str] | None = None):
    """Build a .deb. parts: files of its control part."""
    tree = folder / name
    for path, text in (files or {}).items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    for path, text in (parts or {}).items():
        (tree / "DEBIAN").mkdir(parents=True, exist_ok=True)
        (tree / "DEBIAN" / path).write_text(text)
        (tree / "DEBIAN" / path).chmod(0o755)
    (tree / "DEBIAN").mkdir(parents=True, exist_ok=True)
    (tree / "DEBIAN" / "control").write_text(f"Package: {name}\nVersion: 1.0-1\nArchitecture: riscv64\nMaintainer: Nobody\n"
                                            f"{control}Description: a test\n")
    return tree


@pytest.fixture
def unpacked(tmp_path):
    """Three packages through the first stage: the root folder and the image."""
    trees = tmp_path / "trees"
    base = package(trees, "base-files")
    (base / "usr/bin").mkdir(parents=True)
    (base / "bin").symlink_to("usr/bin")
    package(trees, "tool", "Depends: lib\n", {"bin/tool": "#!/bin/sh\n", "etc/tool.conf": "a = 1\n"},
            {"conffiles": "/etc/tool.conf\nremove-on-upgrade /etc/old.conf\n", "preinst": "#!/bin/sh\n",
             "triggers": "# of mine\ninterest-noawait /usr/share/things\ninterest changes\nactivate ldconfig\n"})
    package(trees, "lib", "Multi-Arch: same\n", {"usr/lib/lib.so": "code"}, {"postinst": "#!/bin/sh\n"})
    debs, extra, work, image = (tmp_path / name for name in ("debs", "extra", "work", "disk.img"))
    for folder in (debs, extra / "etc", work):
        folder.mkdir(parents=True)
    (extra / "etc/hostname").write_text("debian\n")
    for tree in trees.iterdir():
        subprocess.run(["fakeroot", "dpkg-deb", "--build", tree, debs], check=True, capture_output=True)
    subprocess.run(["fakeroot", sys.executable, firststage.__file__, debs, extra, work, image, "16M"], check=True,
                   capture_output=True)
    return work / "root", image


@needs_tools
def test_dpkg_reads_what_the_first_stage_wrote(unpacked):
    root, _ = unpacked
    database = f"--admindir={root}/var/lib/dpkg"

    def query(*words):
        return subprocess.run(["dpkg-query", database, *words], check=True, capture_output=True, text=True).stdout

    assert query("-W", "-f", "${binary:Package} ${Status} ${Version}\n").splitlines() == [
        "base-files:riscv64 install ok unpacked 1.0-1", "lib:riscv64 install ok unpacked 1.0-1",
        "tool:riscv64 install ok unpacked 1.0-1"]
    assert {"/.", "/bin/tool", "/etc/tool.conf"} <= set(query("-L", "tool:riscv64").splitlines())
    assert query("-W", "-f", "${Conffiles}", "tool:riscv64").split() == ["/etc/tool.conf", "9358f2568f3316fe7e78a4fa7707c414"]
    assert (root / "usr/bin/tool").exists() and (root / "bin").is_symlink(), "a link of base-files was replaced by a folder"
    info = root / "var/lib/dpkg/info"
    assert {"lib:riscv64.postinst", "tool.preinst"} <= {file.name for file in info.iterdir()}
    triggers = root / "var/lib/dpkg/triggers"
    assert (triggers / "File").read_text() == "/usr/share/things tool/noawait\n"
    assert (triggers / "changes").read_text() == "tool\n"
    assert not (triggers / "ldconfig").exists()


@needs_tools
def test_the_image_belongs_to_root(unpacked):
    _, image = unpacked
    for name in ("/", "/usr/bin/tool", "/etc/hostname"):
        said = subprocess.run(["/sbin/debugfs", "-R", f"stat {name}", image], check=True, capture_output=True, text=True).stdout
        assert "User:     0   Group:     0" in said, said
    subprocess.run(["/sbin/e2fsck", "-fn", image], check=True, capture_output=True)


def test_progress_says_how_the_second_stage_ended(capsys):
    progress = installed.Progress(r"Setting up ([^ ]*)", "configuring {} in a VM", 2)
    for line in ("Setting up lib (1.0)", "something", secondstage.FAILED + ": dpkg --configure"):
        progress.line(line)
    assert progress.failure == "second stage: FAILED: dpkg --configure" and not progress.done
    assert progress.tail().splitlines()[0] == "Setting up lib (1.0)"
    assert capsys.readouterr().err == "caisson: configuring 1 of 2: lib in a VM\n"
    progress.line(secondstage.DONE)
    assert progress.done


def test_modules_come_after_those_they_need(tmp_path, monkeypatch):
    tree = tmp_path / "usr/lib/modules/6.0/kernel"
    tree.mkdir(parents=True)
    needs = {"virtio_mmio": b"", "virtio_blk": b"", "virtio_net": b"net_failover", "net_failover": b"failover", "failover": b"",
             "virtio-rng": b"", "ext4": b"jbd2,built_in", "jbd2": b"", "crc32c_generic": b""}
    for name, others in needs.items():
        soft = b"softdep=pre: crypto-crc32c\0" if name == "ext4" else b""
        (tree / f"{name}.ko").write_bytes(b"\x7fELF\0" + soft + b"depends=" + others + b"\0")
    monkeypatch.setenv("CROSS", "no-such-")
    modules.gather(tmp_path, tmp_path / "out")
    order = (tmp_path / "out" / "order").read_text().split()
    assert sorted(order) == sorted(needs)
    for first, then in (("failover", "net_failover"), ("net_failover", "virtio_net"), ("jbd2", "ext4"), ("crc32c_generic", "ext4")):
        assert order.index(first) < order.index(then)
    assert list(modules.read(tmp_path / "out"))[-1] == "lib/modules/order"
