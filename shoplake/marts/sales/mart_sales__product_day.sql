{#
  A transaction holds a product on one line, as (transaction, product) is the till's key; only lines flagged as conflict
  share that key. So lines count transactions, less those flagged ones whose transaction another line has counted.
#}
{{ config(materialized='partitioned', partition_by='sale_date') }}

with product_days as (
    select
        sale_date,
        store_id,
        product_id,
        sum(units) as units,
        sum(gross_amount) as gross_amount,
        sum(discount_amount) as discount_amount,
        count(*) as sale_lines,
        count(*) filter (where is_return) as return_lines
    from {{ ref('fct_sale_lines') }}
    where {{ touched('sale_date') }}
    group by sale_date, store_id, product_id
),

conflict_days as (
    select
        sale_date,
        store_id,
        product_id,
        count(*) - count(distinct transaction_id) as lines_of_counted_transactions
    from {{ ref('fct_sale_lines') }}
    where is_conflict and {{ touched('sale_date') }}
    group by sale_date, store_id, product_id
)

select
    product_days.sale_date,
    product_days.store_id,
    stores.store_name,
    stores.region,
    product_days.product_id,
    products.product_name,
    products.category,
    products.brand,
    cast(product_days.units as bigint) as units,
    cast(product_days.gross_amount as decimal(18, 2)) as gross_amount,
    cast(product_days.discount_amount as decimal(18, 2)) as discount_amount,
    cast(product_days.gross_amount - product_days.discount_amount as decimal(18, 2)) as net_amount,
    product_days.sale_lines - coalesce(conflict_days.lines_of_counted_transactions, 0) as transactions,
    product_days.sale_lines,
    product_days.return_lines
from product_days
inner join {{ ref('dim_store') }} as stores on product_days.store_id = stores.store_id
inner join {{ ref('dim_product') }} as products on product_days.product_id = products.product_id
left join conflict_days
    on product_days.sale_date = conflict_days.sale_date
    and product_days.store_id = conflict_days.store_id
    and product_days.product_id = conflict_days.product_id
