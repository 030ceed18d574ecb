{#
  Each observation's interval is clipped at the watermark and cut at midnights. Microseconds are summed as whole
  numbers, so that the sums do not depend on the order of rows.
#}
{{ config(
    materialized='partitioned',
    partition_by='stock_date',
    meta={'reads': {'before': var('stock_hold_hours') // 24 + 1}}
) }}

with held as (
    select
        product_id,
        warehouse_id,
        {{ on_hand('stock_level') }} as level,
        observed_at as held_from,
        least(held_until, {{ watermark('inventory') }}) as held_to,
        observed_date as first_date
    from {{ ref('fct_stock_levels') }}
),

dated as (
    select
        *,
        {{ business_date("held_to - interval 1 microsecond") }} as last_date
    from held
    where held_to > held_from
),

spells as (
    select
        product_id,
        warehouse_id,
        first_date as stock_date,
        level,
        date_diff('microsecond', held_from, held_to) as microseconds
    from dated
    where first_date = last_date and {{ touched('first_date') }}

    union all

    select
        product_id,
        warehouse_id,
        stock_date,
        level,
        date_diff(
            'microsecond',
            greatest(held_from, {{ day_start('stock_date') }}),
            least(held_to, {{ day_start('stock_date + 1') }})
        )
    from (
        select
            *,
            cast(unnest(range(first_date, last_date + 1, interval 1 day)) as date) as stock_date
        from dated
        where first_date < last_date
    ) as whole_days
    where {{ touched('stock_date') }}
),

observed as (
    select
        product_id,
        warehouse_id,
        stock_date,
        sum(microseconds) / 1e6 as observed_seconds,
        sum(case when level > 0 then microseconds else 0 end) / 1e6 as in_stock_seconds,
        sum(cast(level as hugeint) * microseconds) / 1e6 as level_seconds
    from spells
    group by product_id, warehouse_id, stock_date
)

select
    closing.stock_date,
    closing.product_id,
    products.product_name,
    products.category,
    closing.warehouse_id,
    warehouses.warehouse_name,
    warehouses.region as warehouse_region,
    coalesce(observed.observed_seconds, 0) as observed_seconds,
    coalesce(observed.in_stock_seconds, 0) as in_stock_seconds,
    coalesce(observed.level_seconds, 0) as level_seconds,
    case
        when
            closing.observed_at + interval {{ var('stock_hold_hours') }} hour
            >= least({{ day_start('closing.stock_date + 1') }}, {{ watermark('inventory') }})
            then {{ on_hand('closing.closing_level') }}
    end as closing_level
from {{ ref('fct_stock_closing') }} as closing
left join observed
    on
        closing.product_id = observed.product_id
        and closing.warehouse_id = observed.warehouse_id
        and closing.stock_date = observed.stock_date
inner join {{ ref('dim_product') }} as products on closing.product_id = products.product_id
inner join {{ ref('dim_warehouse') }} as warehouses on closing.warehouse_id = warehouses.warehouse_id
where {{ touched('closing.stock_date') }}
