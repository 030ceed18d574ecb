{{ config(materialized='partitioned', meta={'accumulates': true, 'previous': {'dim_product': 0}}) }}

with ids as (
    select product_id from {{ ref('fct_sale_lines') }}
    union
    select product_id from {{ ref('fct_stock_levels') }}
    union
    select product_id from {{ ref('stg_products__products') }}
    union
    select product_id from {{ previous('dim_product') }}
)

select
    ids.product_id,
    coalesce(products.product_name, 'Product ' || ids.product_id) as product_name,
    coalesce(products.category, 'Unmapped') as category,
    coalesce(products.brand, 'Unmapped') as brand,
    products.unit_cost_amount,
    products.list_price_amount
from ids
left join {{ ref('stg_products__products') }} as products on ids.product_id = products.product_id
