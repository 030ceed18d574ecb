{{ config(materialized='partitioned', meta={'accumulates': true, 'previous': {'dim_store': 0}}) }}

with ids as (
    select store_id from {{ ref('fct_sale_lines') }}
    union
    select store_id from {{ ref('stg_stores__stores') }}
    union
    select store_id from {{ previous('dim_store') }}
)

select
    ids.store_id,
    coalesce(stores.store_name, 'Store ' || ids.store_id) as store_name,
    coalesce(stores.region, 'Unmapped') as region,
    coalesce(stores.country, 'Unmapped') as country,
    stores.warehouse_id
from ids
left join {{ ref('stg_stores__stores') }} as stores on ids.store_id = stores.store_id
