"""The time of day: a guest's clock says what the machine's says, and keeps what it was set to."""
from machines import caisson
from test_debian import script  # noqa: F401  (a fixture)


def test_a_guest_knows_the_date(script):  # noqa: F811
    """--icount begins at midnight UTC, 1 January 2025."""
    result = script(["date -u '+date %F %H:%M'", "echo rtc $(cat /sys/class/rtc/rtc0/date)"], "--icount")
    assert result.status == 0, result.err
    assert "date 2025-01-01 00:00" in result.text and "rtc 2025-01-01" in result.text


def test_a_reset_keeps_the_time_that_was_set(script):  # noqa: F811
    result = script(["date -u '+date %F'", "case $(date +%Y) in 2031) poweroff -f;; esac",
                     "date -u -s '2031-05-06 12:00:00' >/dev/null; hwclock -u -w; reboot -f"], "--icount")
    assert result.status == 0, result.err
    assert "date 2025-01-01" in result.text and "date 2031-05-06" in result.text
    assert result.text.index("date 2025-01-01") < result.text.index("date 2031-05-06")


def test_a_machine_without_a_clock(tmp_path):
    """The board's device tree has none: nothing is said, and nothing is missing."""
    result = caisson("app", "--log", tmp_path / "log", "--platform", "sifive_u", "--set", "RTC=y", "hello")
    assert result.status == 0, result.err
    assert "rtc" not in (tmp_path / "log").read_text()
