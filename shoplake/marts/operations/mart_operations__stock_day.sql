{{ config(materialized='partitioned', partition_by='stock_date') }}

with restocks as (
    select
        movement_date,
        product_id,
        warehouse_id,
        count(*) as restocks,
        count(*) filter (where is_restock_from_low) as restocks_from_low,
        sum(units_moved) as units_restocked
    from {{ ref('fct_stock_movements') }}
    where is_restock and {{ touched('movement_date') }}
    group by movement_date, product_id, warehouse_id
)

select
    stock.stock_date,
    stock.product_id,
    stock.product_name,
    stock.category,
    stock.warehouse_id,
    stock.warehouse_name,
    stock.warehouse_region,
    stock.observed_seconds,
    stock.in_stock_seconds,
    stock.level_seconds,
    stock.closing_level,
    coalesce(restocks.restocks, 0) as restocks,
    coalesce(restocks.restocks_from_low, 0) as restocks_from_low,
    coalesce(cast(restocks.units_restocked as bigint), 0) as units_restocked,
    products.unit_cost_amount
from {{ ref('mart_sales__stock_day') }} as stock
left join restocks
    on
        stock.product_id = restocks.product_id
        and stock.warehouse_id = restocks.warehouse_id
        and stock.stock_date = restocks.movement_date
inner join {{ ref('dim_product') }} as products on stock.product_id = products.product_id
where {{ touched('stock.stock_date') }}
