"""What a browser says of itself, in the words of the contract: kind of device and family of the browser."""

from __future__ import annotations

import re
from functools import lru_cache

LONGEST_AGENT = 512
"""Browsers send less than half of it."""
VARIANT = re.compile(r"\s*\b(?:Mobile|iOS|WebView|UI/WKWebView)\b\s*")
TABLET = re.compile(r"iPad|Tablet|Kindle|Silk/(?!.*Mobile)|Android(?!.*Mobi)")
OTHER_DEVICES = re.compile(r"(?i)smart-?tv|\btv\b|bot\b|crawler|spider")
DESKTOP = re.compile(r"Windows NT|Macintosh|X11|CrOS")


@lru_cache(4096)
def read_agent(agent: str) -> tuple[str | None, str | None]:
    """Give the device type (Desktop, Mobile, Tablet) and the browser's family; None for what cannot be told.

    The device follows the rule that MDN recommends ("Mobi" anywhere is a mobile device, Android without it a tablet).
    The family is ua-parser's, without its variants for phones: the device type says that.
    """
    from ua_parser import parse_user_agent

    agent = agent[:LONGEST_AGENT]
    found = parse_user_agent(agent)
    family = VARIANT.sub(" ", found.family).strip() if found else None
    return _device(agent), family or None


def _device(agent: str) -> str | None:
    if OTHER_DEVICES.search(agent):
        return None
    if TABLET.search(agent):
        return "Tablet"
    if "Mobi" in agent:
        return "Mobile"
    return "Desktop" if DESKTOP.search(agent) else None
