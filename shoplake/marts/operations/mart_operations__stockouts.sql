{#
  Demand is that of the stores which the warehouse serves. Stores that name no warehouse share theirs evenly among the
  warehouses that hold the product. The week before the 28 days only tells whether sales reach back that far.
#}
{{ config(materialized='partitioned', meta={'reads': {'before': 35}}) }}

with recent as (
    select
        *,
        {{ business_date(watermark('pos')) }} - sale_date as days_ago
    from {{ ref('mart_operations__demand_day') }}
    where sale_date > {{ business_date(watermark('pos')) }} - 35
),

-- Without any sale the days are null, and so is all that is divided by them.
known as (
    select case when max(days_ago) < 28 then max(days_ago) + 1 when max(days_ago) >= 28 then 28 end as days
    from recent
),

demand as (
    select
        product_id,
        warehouse_id,
        sum(units) as units,
        sum(net_amount) as net_amount
    from recent
    where days_ago < 28
    group by product_id, warehouse_id
),

pairs as (
    select
        *,
        count(*) over (partition by product_id) as warehouses
    from {{ ref('mart_sales__stock_now') }}
),

daily as (
    select
        pairs.*,
        (coalesce(own.units, 0) + coalesce(shared.units, 0) / pairs.warehouses) / known.days as daily_units,
        (coalesce(own.net_amount, 0) + coalesce(shared.net_amount, 0) / pairs.warehouses) / known.days as daily_net
    from pairs
    cross join known
    left join demand as own
        on pairs.product_id = own.product_id and pairs.warehouse_id = own.warehouse_id
    left join demand as shared
        on pairs.product_id = shared.product_id and shared.warehouse_id is null
)

select
    product_id,
    product_name,
    category,
    warehouse_id,
    warehouse_name,
    warehouse_region,
    stock_level,
    restock_threshold,
    stock_state as stockout_state,
    state_since,
    daily_units as daily_units_28d,
    case when daily_units > 0 then stock_level / daily_units end as days_of_cover,
    cast(
        case
            when daily_units > stock_level then round(daily_net * (1 - stock_level / daily_units), 2)
            else daily_net * 0
        end
        as decimal(18, 2)
    ) as expected_net_sales_lost_daily
from daily
where stock_state in ('out', 'low')
