{{ config(
    materialized='partitioned',
    partition_by='movement_date',
    meta={'previous': {'fct_stock_closing': 1}}
) }}

with moved as (
    select
        product_id,
        warehouse_id,
        observed_at as moved_at,
        {{ on_hand('previous_level') }} as from_level,
        {{ on_hand('stock_level') }} as to_level,
        coalesce(previous_level <= previous_restock_threshold, false) as was_low,
        observed_date as movement_date
    from {{ ref('fct_stock_levels') }}
    where
        previous_level is not null
        and {{ touched('observed_date') }}
        and {{ on_hand('stock_level') }} <> {{ on_hand('previous_level') }}
),

carried as (
    select
        product_id,
        warehouse_id,
        last_restock_at
    from {{ previous('fct_stock_closing') }}
    where stock_date = {{ first_touched_day() }} - 1
)

select
    moved.product_id,
    moved.warehouse_id,
    moved.moved_at,
    moved.from_level,
    moved.to_level,
    moved.to_level - moved.from_level as units_moved,
    moved.to_level > moved.from_level as is_restock,
    moved.to_level > moved.from_level and moved.was_low as is_restock_from_low,
    coalesce(
        max(moved.moved_at) filter (where moved.to_level > moved.from_level) over earlier,
        carried.last_restock_at
    ) as previous_restock_at,
    moved.movement_date
from moved
left join carried
    on moved.product_id = carried.product_id and moved.warehouse_id = carried.warehouse_id
window earlier as (
    partition by moved.product_id, moved.warehouse_id
    order by moved.moved_at
    rows between unbounded preceding and 1 preceding
)
