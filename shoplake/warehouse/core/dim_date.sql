{{ config(materialized='partitioned') }}

-- depends_on: {{ ref('fct_sale_lines') }}
-- depends_on: {{ ref('fct_stock_levels') }}
-- depends_on: {{ ref('fct_interactions') }}
-- depends_on: {{ ref('fct_web_events') }}
with days as (
    select cast(unnest(generate_series(first_day, last_day, interval 1 day)) as date) as date_day
    from {{ source('plan', 'horizon') }}
)

select
    date_day,
    cast(year(date_day) as integer) as year,
    cast(quarter(date_day) as integer) as quarter,
    cast(month(date_day) as integer) as month,
    cast(week(date_day) as integer) as week,
    cast(isodow(date_day) as integer) as day_of_week,
    isodow(date_day) >= 6 as is_weekend
from days
