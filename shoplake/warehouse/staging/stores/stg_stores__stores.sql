select
    store_id,
    name as store_name,
    region,
    country,
    warehouse_id
from {{ source('lake', 'stores') }}
qualify row_number() over (partition by store_id order by name, region, country, warehouse_id) = 1
