"""./caisson bench --html: the page stands alone, its plots are drawings, and every figure is on it."""
import re
import xml.etree.ElementTree as xml
from html.parser import HTMLParser

import pytest

from caisson import bench, bench_boot, bench_entry, bench_page, bench_processes, bench_scale, svg
from caisson.bench_outside import Outside
from caisson.bench_release import Release


def figures(**changes):
    guest = {row.key: 100.0 + i for i, row in enumerate(bench.ROWS)}
    processes = {key: 1_000.0 + i for i, key in enumerate(bench_processes.ROWS)}
    boot = bench_boot.Boot([(50, {"mmio-read": 10}), (100, {"mmio-read": 30, "timer": 2})], {"mmio-read": 31, "timer": 4})
    return bench_page.Figures(**{
        "tools": {"compiler": "gcc <12>", "QEMU": "10.0.2"}, "guest": dict.fromkeys(bench.COLUMNS, guest),
        "base": {"rr": {row.key: 5.0 for row in bench.BASE_ROWS}}, "caisson": processes,
        "linux": {key: 2 * value for key, value in processes.items()}, "boot": boot,
        "scale": [bench_scale.Point(1, 96.0, None, 36_000.0), bench_scale.Point(4, 96.5, 1_600.0, 37_000.0),
                  bench_scale.Point(64, 97.0, 2_000.0, 43_000.0)],
        "entry": [bench_entry.Phase("drivers", 80_000), bench_entry.Phase("zeroes", 120_000)], "outside": {"console=ttyS0": OUTSIDE, "console=ttyS0 quiet": OUTSIDE}, **changes})


OUTSIDE = Outside(9_000_000, {"mmio-write": 5_000_000, "ram-fault": 2_000_000, "mmio-read": 900_000, "timer": 400, "host": 4_000},
                  {"mmio-write": 10_000, "ram-fault": 20, "mmio-read": 9_000, "timer": 4})
VOID = {"meta", "br"}


class Balance(HTMLParser):
    """Every element is closed by the tag that belongs to it, and attributes and ids are plain."""

    def __init__(self):
        super().__init__()
        self.open, self.links = [], []

    def handle_starttag(self, tag, attributes):
        self.links += [name for name, value in attributes if name in ("src", "href", "xlink:href") or "url(" in (value or "")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        assert "svg" in self.open, f"<{tag}/> is no HTML"

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag


def drawings(page):
    return [xml.fromstring(text) for text in re.findall("<svg.*?</svg>", page, re.DOTALL)]


def test_the_page_needs_nothing_else():
    page = bench_page.page(figures())
    assert not re.search(r"https?:|src=|href=|@import|<script", page)
    assert "gcc &lt;12&gt;" in page
    assert page.startswith("<!DOCTYPE html>") and page.endswith("</html>\n")


def test_every_row_is_on_it():
    page = bench_page.page(figures())
    for row in bench.ROWS + bench.BASE_ROWS:
        assert bench_page.escape(row.title) in page
    for title in bench_processes.ROWS.values():
        assert bench_page.escape(title) in page
    assert "32,405" in page and "mmio-read" in page and "43,000" in page


def test_what_is_above_its_target_stands_out():
    assert 'class="missed"' in bench_page.page(figures())
    good = dict.fromkeys(bench.COLUMNS, {"null-call": 100.0})
    assert 'class="missed"' not in bench_page.page(figures(guest=good, outside=None))


def test_rivals_are_of_rows_that_there_are():
    assert bench_page.RIVAL_ROWS.keys() <= {row.key for row in bench.ROWS}


def test_exits_of_the_boot_have_the_price_that_was_measured():
    page = bench_page.page(figures())
    assert '<th scope="row">mmio-write</th><td>10,000</td><td>5,000,000</td><td>500</td>' in page
    assert '<th scope="row">host</th><td>-</td><td>4,000</td><td>-</td>' in page
    assert '<th scope="row">sum</th><td>19,024</td><td>7,904,400</td>' in page
    assert 'title="above its target">9,000,000 (!)</span>' in page and "<td>9,000,000</td>" in page  # quiet, and not
    reasons = re.findall("<ol>(.*?)</ol>", page, re.DOTALL)
    assert len(reasons) == 2 and all(text.count("<li>") == 3 and text.startswith("<li>mmio-write: ") for text in reasons)


def test_own_entry_is_there_by_phase_where_it_was_measured():
    page = bench_page.page(figures())
    assert '<th scope="row">zeroes</th><td>120,000</td>' in page and '<th scope="row">all</th><td>200,000</td>' in page
    assert "by phase" not in bench_page.page(figures(entry=None))


def test_each_plot_has_its_numbers_in_words():
    page = bench_page.page(figures())
    assert '<th scope="row">50 ms</th>' in page and '<th scope="row">at the end</th><td>31</td><td>4</td>' in page
    for drawing in drawings(page):
        assert drawing.get("aria-hidden") == "true" or drawing.get("aria-label")


def test_without_linux_and_debian_the_rest_is_there():
    page = bench_page.page(figures(linux=None, boot=None, outside=None))
    assert "Debian's boot" not in page and "outside the guest" not in page and "Many VMs" in page and "Processes" in page


def test_tags_are_closed_and_refer_to_nothing():
    for page in (bench_page.page(figures()), bench_page.page(figures(boot=None, linux=None, before=Release("0.0.9", {})))):
        parser = Balance()
        parser.feed(page)
        parser.close()
        assert parser.open == [] and parser.links == []


def test_what_has_changed_since_the_release_before_is_beside_it():
    keys = [row.key for row in bench.ROWS]
    before = Release("0.0.9", {f"guest: {keys[1]}": 202.0, f"guest: {keys[2]}": 102.0, "processes: null-call": 500.0})
    page = bench_page.page(figures(before=before))
    assert "Changes are since 0.0.9." in page and '<th scope="col">change</th>' in page
    assert "<td>-50.0 %</td>" in page and "<td>+100.0 %</td>" in page and len(re.findall("[0-9] %</td>", page)) == 2
    assert "change" not in bench_page.page(figures())


def test_narrow_dark_and_printed_pages_are_thought_of():
    page = bench_page.page(figures())
    assert 'name="viewport"' in page and "prefers-color-scheme: dark" in page and "@media print" in page
    assert page.count("<table>") == page.count('<div class="wide" tabindex="0"><table>')


def test_lines_stay_in_their_frames():
    plots = [plot for plot in drawings(bench_page.page(figures())) if plot.find("polyline") is not None]
    assert len(plots) == 4
    for plot in plots:
        width, height = float(plot.get("width")), float(plot.get("height"))
        for line in plot.iter("polyline"):
            for point in line.get("points").split():
                x, y = map(float, point.split(","))
                assert 0 <= x <= width and 0 <= y <= height


def test_each_rival_has_its_colour_everywhere():
    values = {"Caisson": 3.0, "Xvisor": 4.0, "KVM": 5.0}
    names = ("Caisson", "Bao", "Xvisor", "KVM")
    drawing = xml.fromstring(svg.bars([*values.items()], labels=names))
    assert [bar.get("fill") for bar in drawing.iter("rect")] == [svg.COLOURS[names.index(name)] for name in values]


@pytest.mark.parametrize("least, most", [(1.0, 1e6), (100.0, 1e6)])
def test_bars_are_as_long_as_their_values(least, most):
    values = [0.0, 3.0, 100.0, 5_000.0, 900_000.0, 1e9]
    drawing = xml.fromstring(svg.bars([(str(value), value) for value in values], least=least, most=most))
    lengths = [float(bar.get("width")) for bar in drawing.iter("rect")]
    assert lengths == sorted(lengths) and len(set(lengths)) >= 4
    assert max(lengths) < float(drawing.get("width"))


@pytest.mark.parametrize("file, said", [("nowhere/page.html", b"no such folder"), (".", b"a folder")])
def test_a_file_that_cannot_be_written_is_said_before_anything_is_measured(tool, file, said):
    result = tool.run("bench", "--html", file)
    assert result.returncode == 2 and said in result.stderr and file.encode() in result.stderr
    assert not tool.started()
