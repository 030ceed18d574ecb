{{ config(materialized='partitioned', meta={'accumulates': true, 'previous': {'dim_warehouse': 0}}) }}

with ids as (
    select warehouse_id from {{ ref('fct_stock_levels') }}
    union
    select warehouse_id from {{ ref('stg_warehouses__warehouses') }}
    union
    select warehouse_id from {{ ref('stg_stores__stores') }}
    where warehouse_id is not null
    union
    select warehouse_id from {{ previous('dim_warehouse') }}
)

select
    ids.warehouse_id,
    coalesce(warehouses.warehouse_name, 'Warehouse ' || ids.warehouse_id) as warehouse_name,
    coalesce(warehouses.region, 'Unmapped') as region
from ids
left join {{ ref('stg_warehouses__warehouses') }} as warehouses on ids.warehouse_id = warehouses.warehouse_id
