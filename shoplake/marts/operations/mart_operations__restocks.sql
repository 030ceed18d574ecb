{{ config(materialized='partitioned', partition_by='movement_date') }}

select
    movements.movement_date,
    movements.product_id,
    products.product_name,
    products.category,
    movements.warehouse_id,
    warehouses.warehouse_name,
    warehouses.region as warehouse_region,
    movements.moved_at,
    movements.units_moved as units_restocked,
    movements.is_restock_from_low as is_from_low,
    {{ seconds_between('movements.previous_restock_at', 'movements.moved_at') }} / 86400 as days_since_previous
from {{ ref('fct_stock_movements') }} as movements
inner join {{ ref('dim_product') }} as products on movements.product_id = products.product_id
inner join {{ ref('dim_warehouse') }} as warehouses on movements.warehouse_id = warehouses.warehouse_id
where movements.is_restock and {{ touched('movements.movement_date') }}
