"""Which panels each team's page has: the questions that its KPIs answer, in the order in which they are asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from shoplake.access.kpi_definition import Kpi, load_kpis

Kind = Literal["line", "bars", "table", "parts", "list", "curve"]
TEAMS = ("sales", "marketing", "operations", "support", "finance")
TITLES = {
    "sales": "Sales",
    "marketing": "Marketing",
    "operations": "Operations",
    "support": "Support",
    "finance": "Finance",
}


@dataclass(frozen=True)
class Panel:
    """One table of a KPI, and the chart that is drawn from it."""

    kpi: str
    title: str
    by: str = ""
    """Dimension; empty for the parts of the whole, or for the single rows that the KPI lists."""
    kind: Kind = "bars"
    definition: str = ""
    parts: tuple[str, ...] = ()
    """Parts beside the figure, or the rows of a panel of parts."""
    is_wide: bool = False
    order_by: str = ""
    """Part that puts the largest groups first, where the figure alone would put chance first."""
    direction: Literal["", "up", "down", "none"] = ""
    """Where a definition wants to go that the KPI's own direction is not about."""

    @property
    def panel_id(self) -> str:
        """Name the panel within its page."""
        return "-".join(word for word in (self.kpi, self.definition, self.by or self.kind) if word)


BOARDS: dict[str, tuple[Panel, ...]] = {
    "sales": (
        Panel("total_sales", "Net sales by day", "day", "line", is_wide=True),
        Panel("total_sales", "Net sales by region", "region", parts=("units", "transactions")),
        Panel("total_sales", "Net sales by store", "store", parts=("units", "transactions")),
        Panel("total_sales", "Net sales by category", "category", parts=("units",)),
        Panel("total_sales", "Best-selling products", "product", parts=("units",)),
        Panel("stock_availability", "Products most often out of stock", "product", "table"),
        Panel("product_turnover_rate", "Products that turn slowest", "product", "table", parts=("units_sold",)),
        Panel("stock_availability", "Availability by warehouse", "warehouse"),
        Panel("product_turnover_rate", "Turnover by category", "category"),
    ),
    "marketing": (
        Panel(
            "bounce_rate",
            "How far visits go",
            "",
            "parts",
            parts=("sessions", "sessions-bounces", "sessions-bounces_ga4"),
        ),
        Panel("session_duration", "Session duration by day", "day", "line"),
        Panel("bounce_rate", "Bounce rate of the most visited pages", "page", parts=("sessions",), order_by="sessions"),
        Panel("session_duration", "Session duration by first page", "page", parts=("sessions",), order_by="sessions"),
        Panel("bounce_rate", "Bounce rate by device", "device", parts=("sessions",)),
        Panel("session_duration", "Session duration by device", "device", parts=("sessions",)),
        Panel(
            "engagement_score",
            "How engagement spreads over customers",
            "",
            "parts",
            parts=("share_0_to_20", "share_20_to_40", "share_40_to_60", "share_60_to_80", "share_80_to_100"),
        ),
        Panel("loyalty_activity_rate", "Loyalty activity by day", "day", "line"),
    ),
    "operations": (
        Panel("stockout_alerts", "What is missing, by money at risk", "", "list", is_wide=True),
        Panel("stockout_alerts", "Stockouts by warehouse", "warehouse", parts=("expected_net_sales_lost_daily",)),
        Panel("inventory_turnover", "Turnover by warehouse", "warehouse"),
        Panel("inventory_turnover", "Turnover by category", "category"),
        Panel(
            "inventory_turnover",
            "Products whose stock turns slowest",
            "product",
            "table",
            parts=("units_sold", "average_units_on_hand"),
            is_wide=True,
        ),
        Panel("restock_frequency", "Restocks by day", "day", "line", parts=("units_restocked",)),
        Panel("restock_frequency", "Restocks by category", "category", parts=("units_restocked",)),
    ),
    "support": (
        Panel("interaction_volume", "Interactions by day", "day", "line", is_wide=True),
        Panel("interaction_volume", "Interactions by type", "type"),
        Panel("interaction_volume", "Interactions by channel", "channel"),
        Panel("feedback_score", "Rating by day", "day", "line"),
        Panel("feedback_score", "Rating by channel", "channel", parts=("ratings",)),
        Panel(
            "time_to_resolution",
            "What became of the cases",
            "",
            "parts",
            parts=("cases_opened", "cases_resolved", "cases_open", "cases_unresolved"),
        ),
        Panel("time_to_resolution", "Time to resolution by channel", "channel", parts=("cases_opened",)),
        Panel(
            "time_to_resolution",
            "How many cases are still open, by time since the complaint",
            "",
            "curve",
            is_wide=True,
        ),
    ),
    "finance": (
        Panel("revenue", "Net revenue by day", "day", "line", is_wide=True),
        Panel("revenue", "Margin rate by category", "category", "bars", "gross_margin_rate"),
        Panel(
            "revenue", "Discount rate by store", "store", "bars", "discount_rate", parts=("discount",), direction="down"
        ),
        Panel(
            "revenue",
            "From gross to margin, by category",
            "category",
            "table",
            parts=("gross", "discount", "cost_of_goods", "gross_margin"),
            is_wide=True,
        ),
        Panel("revenue", "Net revenue by region", "region"),
        Panel("revenue", "Net revenue by store", "store"),
    ),
}


def team_kpis(team: str) -> list[Kpi]:
    """Give the KPIs of a team, in the order of its panels, those without a panel last."""
    order = list(dict.fromkeys(panel.kpi for panel in BOARDS[team]))
    found = [kpi for kpi in load_kpis().values() if kpi.team == team]
    return sorted(found, key=lambda kpi: order.index(kpi.name) if kpi.name in order else len(order))


def panels(team: str, names: set[str]) -> Iterator[Panel]:
    """Give the panels of a team's page for the KPIs of these names."""
    return (panel for panel in BOARDS[team] if panel.kpi in names)


def wholes(kpi: Kpi) -> list[Panel]:
    """Give the panels of a KPI that go by no dimension: its parts, its list, its curve."""
    return [panel for panel in BOARDS.get(kpi.team, ()) if panel.kpi == kpi.name and not panel.by]


def find_panel(kpi: str, panel_id: str) -> Panel | None:
    """Give a panel by its id: one of a page, or any dimension of the KPI by its own name."""
    found = load_kpis().get(kpi)
    if found is None:
        return None
    on_page = (panel for panel in BOARDS.get(found.team, ()) if panel.kpi == kpi and panel.panel_id == panel_id)
    by = panel_id.removeprefix(f"{kpi}-")
    plain = Panel(kpi, "", by, "line" if by == "day" else "bars") if by in found.dimensions else None
    return next(on_page, None) or plain
