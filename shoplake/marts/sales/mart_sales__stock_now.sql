{{ config(materialized='partitioned') }}

select
    closing.product_id,
    products.product_name,
    products.category,
    closing.warehouse_id,
    warehouses.warehouse_name,
    warehouses.region as warehouse_region,
    {{ on_hand('closing.closing_level') }} as stock_level,
    closing.restock_threshold,
    closing.stock_state,
    closing.state_since,
    closing.observed_at
from {{ ref('fct_stock_closing') }} as closing
inner join {{ ref('dim_product') }} as products on closing.product_id = products.product_id
inner join {{ ref('dim_warehouse') }} as warehouses on closing.warehouse_id = warehouses.warehouse_id
where
    closing.stock_date = {{ business_date(watermark('inventory')) }}
    and closing.observed_at + interval {{ var('stock_hold_hours') }} hour >= {{ watermark('inventory') }}
