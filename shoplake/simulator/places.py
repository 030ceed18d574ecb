"""Stores and the warehouses that serve them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shoplake.simulator.world import Floats, Ints, World

REGIONS = (
    ("North", "GB", ("Leeds", "York", "Hull", "Durham", "Carlisle", "Preston", "Bolton", "Whitby")),
    ("South", "GB", ("Brighton", "Reading", "Poole", "Exeter", "Bath", "Dover", "Truro", "Winchester")),
    ("Midlands", "GB", ("Derby", "Leicester", "Coventry", "Lincoln", "Stafford", "Rugby", "Corby", "Telford")),
    ("Ireland", "IE", ("Dublin", "Cork", "Galway", "Limerick", "Sligo", "Ennis", "Tralee", "Kilkenny")),
    ("France", "FR", ("Lyon", "Nîmes", "Lille", "Rennes", "Nancy", "Orléans", "Dijon", "Angers")),
    ("Iberia", "ES", ("Bilbao", "León", "Málaga", "Gijón", "Vigo", "Girona", "Cádiz", "Toledo")),
)
STREETS = ("High Street", "Market Hall", "Station", "Retail Park", "Harbour", "Old Town", "Riverside", "Ring Road")


@dataclass(frozen=True)
class Places:
    """The stores and warehouses; arrays are by the store's or warehouse's place in its list, from 0."""

    store_ids: Ints
    store_regions: Ints
    """Place in ``REGIONS``."""
    store_warehouses: Ints
    """Place of the warehouse that serves the store."""
    store_weights: Floats
    """Share of all baskets."""
    warehouse_ids: Ints
    warehouse_regions: Ints


def build_places(world: World) -> Places:
    """Spread the stores over the regions, each served from its own region where that has a warehouse."""
    draws = world.draws("places")
    warehouse_regions = np.arange(world.warehouses) % len(REGIONS)
    regions = np.arange(world.stores) % len(REGIONS)
    serving = np.empty(world.stores, np.int64)
    for store, region in enumerate(regions):
        near = np.flatnonzero(warehouse_regions == region)
        serving[store] = near[store // len(REGIONS) % len(near)] if len(near) else store % world.warehouses
    weights = draws.lognormal(0, 0.5, world.stores)
    return Places(
        store_ids=np.arange(1, world.stores + 1),
        store_regions=regions,
        store_warehouses=serving,
        store_weights=weights / weights.sum(),
        warehouse_ids=np.arange(1, world.warehouses + 1),
        warehouse_regions=warehouse_regions,
    )


def store_rows(places: Places) -> list[dict[str, str]]:
    """Give the stores as rows of their reference file."""
    rows = []
    for place, store_id in enumerate(places.store_ids):
        region, country, towns = REGIONS[places.store_regions[place]]
        round_number = place // len(REGIONS)
        street = STREETS[round_number // len(towns) % len(STREETS)]
        rows.append(
            {
                "store_id": str(store_id),
                "name": f"{towns[round_number % len(towns)]} {street}",
                "region": region,
                "country": country,
                "warehouse_id": str(places.warehouse_ids[places.store_warehouses[place]]),
            }
        )
    return rows


def warehouse_rows(places: Places) -> list[dict[str, str]]:
    """Give the warehouses as rows of their reference file."""
    regions = [REGIONS[region][0] for region in places.warehouse_regions]
    return [
        {"warehouse_id": str(warehouse_id), "name": f"{region} depot {warehouse_id}", "region": region}
        for warehouse_id, region in zip(places.warehouse_ids, regions, strict=True)
    ]
