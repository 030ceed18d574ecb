select
    transaction_id,
    store_id,
    product_id,
    quantity as units,
    cast(revenue as decimal(18, 2)) as gross_amount,
    cast(coalesce(discount_applied, 0) as decimal(18, 2)) as discount_amount,
    gross_amount - discount_amount as net_amount,
    make_timestamp(cast("timestamp" * 1000000 as bigint)) as sold_at,
    cast(sold_at as date) as sale_date
from raw.sale_lines
