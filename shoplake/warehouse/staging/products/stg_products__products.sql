select
    product_id,
    name as product_name,
    category,
    brand,
    {{ money('unit_cost') }} as unit_cost_amount,
    {{ money('list_price') }} as list_price_amount
from {{ source('lake', 'products') }}
qualify row_number() over (partition by product_id order by name, category, brand, unit_cost, list_price) = 1
