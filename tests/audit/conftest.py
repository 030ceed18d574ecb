"""A small log to look at, with two chains, two segments and three signed heads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shoplake.audit.entry import new_entry
from shoplake.audit.log import AuditLog
from shoplake.audit.recording import close_logs
from shoplake.settings import Settings


@pytest.fixture
def settings(make_home: Callable[..., Settings]) -> Settings:
    """Give a home that was made just now and not copied: these tests count what its log holds."""
    return make_home("made")


@pytest.fixture
def logged(make_home: Callable[..., Settings], tmp_path: Path) -> Settings:
    """Give a home whose log two writers have written and signed."""
    settings = make_home(audit_heads=str(tmp_path / "apart"), audit_segment_bytes=4096)
    close_logs()
    one, other = AuditLog(settings), AuditLog(settings)
    for number in range(3):
        one.write(new_entry("sql", sql=f"select {number}", tables=["sales.mart_sales__store_day"]))
        other.write(new_entry("kpi", kpi="total_sales", number=number))
        one.sign(is_forced=True)
    one.write(new_entry("land batch", files=["x" * 4000]))
    one.write(new_entry("sql", sql="select 'after a new segment'"))
    one.sign(is_forced=True)
    other.close()
    one.close()
    return settings
