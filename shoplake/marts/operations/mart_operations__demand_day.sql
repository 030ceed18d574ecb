{{ config(materialized='partitioned', partition_by='sale_date') }}

with demand as (
    select
        sales.sale_date,
        sales.product_id,
        stores.warehouse_id,
        sum(sales.units) as units,
        sum(sales.net_amount) as net_amount
    from {{ ref('mart_sales__product_day') }} as sales
    inner join {{ ref('dim_store') }} as stores on sales.store_id = stores.store_id
    where {{ touched('sales.sale_date') }}
    group by sales.sale_date, sales.product_id, stores.warehouse_id
)

select
    demand.sale_date,
    demand.product_id,
    products.product_name,
    products.category,
    demand.warehouse_id,
    warehouses.warehouse_name,
    warehouses.region as warehouse_region,
    cast(demand.units as bigint) as units,
    cast(demand.net_amount as decimal(18, 2)) as net_amount,
    cast(demand.units * products.unit_cost_amount as decimal(18, 2)) as cost_amount,
    case when products.unit_cost_amount is null then 0 else cast(demand.units as bigint) end as units_with_cost
from demand
inner join {{ ref('dim_product') }} as products on demand.product_id = products.product_id
left join {{ ref('dim_warehouse') }} as warehouses on demand.warehouse_id = warehouses.warehouse_id
