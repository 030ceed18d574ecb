select
    product_id,
    warehouse_id,
    last_updated as observed_at,
    stock_level,
    restock_threshold,
    {{ business_date('last_updated') }} as observed_date,
    _file_id,
    _line
from {{ once_each(
    source('lake', 'inventory'),
    fields=['inventory_id', 'product_id', 'warehouse_id', 'stock_level', 'restock_threshold', 'last_updated'],
    key=['product_id', 'warehouse_id', 'last_updated'],
    event_time='last_updated',
    winner='inventory_id desc, stock_level, restock_threshold'
) }}
