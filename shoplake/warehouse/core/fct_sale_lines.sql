{{ config(materialized='partitioned', partition_by='sale_date') }}

select
    transaction_id,
    store_id,
    product_id,
    units,
    gross_amount,
    discount_amount,
    gross_amount - discount_amount as net_amount,
    units < 0 as is_return,
    is_conflict,
    sold_at,
    sale_date,
    _file_id,
    _line
from {{ ref('stg_pos__sale_lines') }}
where {{ touched('sale_date') }}
