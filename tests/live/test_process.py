"""The window's process runs while anybody asks, and is started anew should it die."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

import shoplake.live.process
from shoplake.live.process import LiveWindow
from shoplake.settings import Settings


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_it_dies_and_comes_back_and_ends_when_nobody_asks(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shoplake.live.process, "LOOK_SECONDS", 0.2)
    window = LiveWindow(settings)
    window.start()
    try:
        until(lambda: window.latest() is not None)
        first = window._process
        assert first is not None
        first.kill()
        until(lambda: window._process is not first and window.latest() is not None)
        second = window._process
        assert second is not None
        monkeypatch.setattr(shoplake.live.process, "IDLE_SECONDS", 0.2)
        until(lambda: window._process is None)
        assert second.wait(60) == 0
    finally:
        window.stop()
    assert window.latest() is None
