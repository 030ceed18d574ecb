"""The customers, who shop on the web and talk to customer care under one number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shoplake.simulator.world import Floats, Ints, World

FIRST_ID = 100_001
DEVICES = ("Desktop", "Mobile", "Tablet")
DEVICE_SHARES = (0.34, 0.57, 0.09)
BROWSERS = (
    (("Chrome", 0.58), ("Edge", 0.19), ("Firefox", 0.13), ("Safari", 0.10)),
    (("Safari", 0.46), ("Chrome", 0.43), ("Samsung Internet", 0.08), ("Firefox", 0.03)),
    (("Safari", 0.62), ("Chrome", 0.33), ("Silk", 0.05)),
)


@dataclass(frozen=True)
class People:
    """The customers; arrays are by the customer's place, from 0."""

    ids: Ints
    devices: Ints
    """Place in ``DEVICES`` of the device that the customer mostly uses."""
    visits: Floats
    """Cumulative shares of signed-in web visits: a few come often."""
    contacts: Floats
    """Cumulative shares of contacts with customer care."""


def build_people(world: World) -> People:
    """Draw the customers."""
    draws = world.draws("people")
    visits = np.cumsum(draws.lognormal(0, 1.0, world.customers))
    contacts = np.cumsum(draws.lognormal(0, 0.8, world.customers))
    return People(
        ids=FIRST_ID + np.arange(world.customers),
        devices=draws.choice(len(DEVICES), world.customers, p=DEVICE_SHARES),
        visits=visits / visits[-1],
        contacts=contacts / contacts[-1],
    )
