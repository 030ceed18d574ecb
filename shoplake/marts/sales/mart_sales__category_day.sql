{# A category goes by its smallest product id while lines are counted: grouping by a number is a quarter cheaper. #}
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
        lines.sale_date,
        lines.store_id,
        products.category_product_id,
        sum(lines.units) as units,
        sum(lines.gross_amount) as gross_amount,
        sum(lines.discount_amount) as discount_amount,
        count(distinct lines.transaction_id) as transactions,
        count(*) as sale_lines,
        count(*) filter (where lines.is_return) as return_lines
    from {{ ref('fct_sale_lines') }} as lines
    inner join products on lines.product_id = products.product_id
    where {{ touched('lines.sale_date') }}
    group by lines.sale_date, lines.store_id, products.category_product_id
)

select
    category_days.sale_date,
    category_days.store_id,
    stores.store_name,
    stores.region,
    products.category,
    cast(category_days.units as bigint) as units,
    cast(category_days.gross_amount as decimal(18, 2)) as gross_amount,
    cast(category_days.discount_amount as decimal(18, 2)) as discount_amount,
    cast(category_days.gross_amount - category_days.discount_amount as decimal(18, 2)) as net_amount,
    category_days.transactions,
    category_days.sale_lines,
    category_days.return_lines
from category_days
inner join products on category_days.category_product_id = products.product_id
inner join {{ ref('dim_store') }} as stores on category_days.store_id = stores.store_id
