select
    sale_date,
    store_id,
    sum(units) as units,
    sum(gross_amount) as gross_amount,
    sum(discount_amount) as discount_amount,
    sum(net_amount) as net_amount,
    count(*) as sale_lines,
    count(distinct transaction_id) as transactions
from {{ ref('fact_sale_lines') }}
group by sale_date, store_id
