"""Ask a shoplake server from Python: SQL as Arrow or pandas, and KPIs.

Example::

    import shoplake

    lake = shoplake.connect("https://lake.example:8443", token)
    lake.sql("SELECT * FROM sales.mart_sales__store_day WHERE region = ?", ["North"]).df()
    lake.kpi("total_sales", by=["region"])["total"]["value"]
"""

from shoplake.client.asking import Client, connect
from shoplake.client.result import Page, Result

__all__ = ["Client", "Page", "Result", "connect"]
