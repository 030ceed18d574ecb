select
    transaction_id,
    store_id,
    product_id,
    quantity as units,
    {{ money('revenue') }} as gross_amount,
    {{ money('coalesce(discount_applied, 0)') }} as discount_amount,
    is_conflict,
    "timestamp" as sold_at,
    {{ business_date('"timestamp"') }} as sale_date,
    _file_id,
    _line
from {{ once_each(
    source('lake', 'pos'),
    fields=['transaction_id', 'store_id', 'product_id', 'quantity', 'revenue', 'discount_applied', '"timestamp"'],
    key=['transaction_id', 'product_id'],
    event_time='"timestamp"'
) }}
