{# An observation holds for the hold time at most, so only those of that many days before a change can end otherwise. #}
{{ config(
    materialized='partitioned',
    partition_by='observed_date',
    meta={
        'touches': {
            'before': var('stock_hold_hours') // 24 + 1, 'to_latest': true, 'since_watermark': 'inventory'
        },
        'previous': {'fct_stock_closing': 1}
    }
) }}

with observed as (
    select
        product_id,
        warehouse_id,
        observed_at,
        stock_level,
        restock_threshold,
        observed_date,
        _file_id,
        _line
    from {{ ref('stg_inventory__stock_counts') }}
    where {{ touched('observed_date') }}

    union all

    -- The last observation of each pair before these days, however old.
    select
        product_id,
        warehouse_id,
        observed_at,
        closing_level,
        restock_threshold,
        null as observed_date,
        null as _file_id,
        null as _line
    from {{ previous('fct_stock_closing') }}
    where stock_date = {{ first_touched_day() }} - 1
)

select
    product_id,
    warehouse_id,
    observed_at,
    stock_level,
    restock_threshold,
    lag(stock_level) over observations as previous_level,
    lag(restock_threshold) over observations as previous_restock_threshold,
    lag(observed_at) over observations as previous_observed_at,
    least(
        lead(observed_at) over observations,
        observed_at + interval {{ var('stock_hold_hours') }} hour
    ) as held_until,
    observed_date,
    _file_id,
    _line
from observed
window observations as (partition by product_id, warehouse_id order by observed_at)
qualify observed_date is not null
