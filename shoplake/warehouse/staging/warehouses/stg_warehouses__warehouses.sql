select
    warehouse_id,
    name as warehouse_name,
    region
from {{ source('lake', 'warehouses') }}
qualify row_number() over (partition by warehouse_id order by name, region) = 1
