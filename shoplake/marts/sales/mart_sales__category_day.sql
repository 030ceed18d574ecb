{#
  Sums come from the products' sums; only distinct transactions are counted line by line, by the hash of their id
  (docs/decisions/0002). A category goes by its smallest product id meanwhile: grouping by a number is a quarter cheaper.
#}
{{ config(materialized='partitioned', partition_by='sale_date') }}

with products as (
    select
        product_id,
        category,
        min(product_id) over (partition by category) as category_product_id
    from {{ ref('dim_product') }}
),

category_days as (
    select
        sales.sale_date,
        sales.store_id,
        sales.store_name,
        sales.region,
        products.category,
        products.category_product_id,
        sum(sales.units) as units,
        sum(sales.gross_amount) as gross_amount,
        sum(sales.discount_amount) as discount_amount,
        sum(sales.sale_lines) as sale_lines,
        sum(sales.return_lines) as return_lines
    from {{ ref('mart_sales__product_day') }} as sales
    inner join products on sales.product_id = products.product_id
    where {{ touched('sales.sale_date') }}
    group by all
),

transaction_counts as (
    select
        lines.sale_date,
        lines.store_id,
        products.category_product_id,
        count(distinct hash(lines.transaction_id)) as transactions
    from {{ ref('fct_sale_lines') }} as lines
    inner join products on lines.product_id = products.product_id
    where {{ touched('lines.sale_date') }}
    group by all
)

select
    sale_date,
    store_id,
    category_days.store_name,
    category_days.region,
    category_days.category,
    cast(category_days.units as bigint) as units,
    cast(category_days.gross_amount as decimal(18, 2)) as gross_amount,
    cast(category_days.discount_amount as decimal(18, 2)) as discount_amount,
    cast(category_days.gross_amount - category_days.discount_amount as decimal(18, 2)) as net_amount,
    transaction_counts.transactions,
    cast(category_days.sale_lines as bigint) as sale_lines,
    cast(category_days.return_lines as bigint) as return_lines
from category_days
inner join transaction_counts using (sale_date, store_id, category_product_id)
