{{ config(
    materialized='partitioned',
    partition_by='stock_date',
    meta={'touches': {'to_latest': true}, 'previous': {'fct_stock_closing': 1}}
) }}

with observed_days as (
    select
        product_id,
        warehouse_id,
        observed_date as stock_date,
        arg_max(stock_level, observed_at) as closing_level,
        arg_max_null(restock_threshold, observed_at) as restock_threshold,
        max(observed_at) as observed_at,
        max(observed_at) filter (
            where
            {{ stock_state('stock_level', 'restock_threshold') }}
            is distinct from {{ stock_state('previous_level', 'previous_restock_threshold') }}
            or previous_observed_at is null
        ) as state_since,
        max(observed_at) filter (
            where {{ on_hand('stock_level') }} > {{ on_hand('previous_level') }}
        ) as last_restock_at
    from {{ ref('fct_stock_levels') }}
    where {{ touched('observed_date') }}
    group by product_id, warehouse_id, observed_date

    union all

    select
        product_id,
        warehouse_id,
        stock_date,
        closing_level,
        restock_threshold,
        observed_at,
        state_since,
        last_restock_at
    from {{ previous('fct_stock_closing') }}
    where stock_date = {{ first_touched_day() }} - 1
),

-- Each observed day stands until the next one of its pair, the last one until the last day of the source.
standing as (
    select
        product_id,
        warehouse_id,
        closing_level,
        restock_threshold,
        observed_at,
        max(state_since) over days as state_since,
        max(last_restock_at) over days as last_restock_at,
        unnest(range(
            stock_date,
            lead(stock_date, 1, {{ business_date(watermark('inventory')) }} + 1) over days,
            interval 1 day
        )) as stock_day
    from observed_days
    window days as (partition by product_id, warehouse_id order by stock_date)
)

select
    product_id,
    warehouse_id,
    cast(stock_day as date) as stock_date,
    closing_level,
    restock_threshold,
    observed_at,
    {{ stock_state('closing_level', 'restock_threshold') }} as stock_state,
    state_since,
    last_restock_at
from standing
where {{ touched('cast(stock_day as date)') }}
