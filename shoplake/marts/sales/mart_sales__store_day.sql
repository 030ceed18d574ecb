{{ config(materialized='partitioned', partition_by='sale_date') }}

with store_days as (
    select
        sale_date,
        store_id,
        sum(units) as units,
        sum(gross_amount) as gross_amount,
        sum(discount_amount) as discount_amount,
        count(distinct transaction_id) as transactions,
        count(*) as sale_lines,
        count(*) filter (where is_return) as return_lines
    from {{ ref('fct_sale_lines') }}
    where {{ touched('sale_date') }}
    group by sale_date, store_id
)

select
    store_days.sale_date,
    store_days.store_id,
    stores.store_name,
    stores.region,
    cast(store_days.units as bigint) as units,
    cast(store_days.gross_amount as decimal(18, 2)) as gross_amount,
    cast(store_days.discount_amount as decimal(18, 2)) as discount_amount,
    cast(store_days.gross_amount - store_days.discount_amount as decimal(18, 2)) as net_amount,
    store_days.transactions,
    store_days.sale_lines,
    store_days.return_lines
from store_days
inner join {{ ref('dim_store') }} as stores on store_days.store_id = stores.store_id
