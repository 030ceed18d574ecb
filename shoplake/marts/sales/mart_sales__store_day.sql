{#
  Sums come from the products' sums; only distinct transactions are counted line by line, by the hash of their id
  (docs/decisions/0002).
#}
{{ config(materialized='partitioned', partition_by='sale_date') }}

with store_days as (
    select
        sale_date,
        store_id,
        store_name,
        region,
        sum(units) as units,
        sum(gross_amount) as gross_amount,
        sum(discount_amount) as discount_amount,
        sum(sale_lines) as sale_lines,
        sum(return_lines) as return_lines
    from {{ ref('mart_sales__product_day') }}
    where {{ touched('sale_date') }}
    group by all
),

transaction_counts as (
    select
        sale_date,
        store_id,
        count(distinct hash(transaction_id)) as transactions
    from {{ ref('fct_sale_lines') }}
    where {{ touched('sale_date') }}
    group by all
)

select
    sale_date,
    store_id,
    store_days.store_name,
    store_days.region,
    cast(store_days.units as bigint) as units,
    cast(store_days.gross_amount as decimal(18, 2)) as gross_amount,
    cast(store_days.discount_amount as decimal(18, 2)) as discount_amount,
    cast(store_days.gross_amount - store_days.discount_amount as decimal(18, 2)) as net_amount,
    transaction_counts.transactions,
    cast(store_days.sale_lines as bigint) as sale_lines,
    cast(store_days.return_lines as bigint) as return_lines
from store_days
inner join transaction_counts using (sale_date, store_id)
