{# A category goes by its smallest product id while sales are summed: grouping by a number is cheaper. #}
{{ config(materialized='partitioned', partition_by='sale_date') }}

with products as (
    select
        product_id,
        category,
        unit_cost_amount,
        min(product_id) over (partition by category) as category_product_id
    from {{ ref('dim_product') }}
),

category_days as (
    select
        sales.sale_date,
        sales.store_id,
        products.category_product_id,
        sum(sales.units) as units,
        sum(sales.gross_amount) as gross_amount,
        sum(sales.discount_amount) as discount_amount,
        sum(sales.net_amount) as net_amount,
        sum(sales.units * products.unit_cost_amount) as cost_amount,
        coalesce(sum(sales.units) filter (where products.unit_cost_amount is not null), 0) as units_with_cost,
        coalesce(sum(sales.net_amount) filter (where products.unit_cost_amount is not null), 0) as net_amount_with_cost
    from {{ ref('mart_sales__product_day') }} as sales
    inner join products on sales.product_id = products.product_id
    where {{ touched('sales.sale_date') }}
    group by sales.sale_date, sales.store_id, products.category_product_id
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
    cast(category_days.net_amount as decimal(18, 2)) as net_amount,
    cast(category_days.cost_amount as decimal(18, 2)) as cost_amount,
    cast(category_days.units_with_cost as bigint) as units_with_cost,
    cast(category_days.net_amount_with_cost as decimal(18, 2)) as net_amount_with_cost
from category_days
inner join products on category_days.category_product_id = products.product_id
inner join {{ ref('dim_store') }} as stores on category_days.store_id = stores.store_id
