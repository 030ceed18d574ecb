{{ config(materialized='partitioned', meta={'accumulates': true, 'previous': {'dim_customer': 0}}) }}

with seen as (
    select
        customer_key,
        interaction_date as first_seen_date,
        interaction_date as last_seen_date
    from {{ ref('fct_interactions') }}
    union all
    select
        customer_key,
        event_date as first_seen_date,
        event_date as last_seen_date
    from {{ ref('fct_web_events') }}
    where customer_key is not null
    union all
    select
        customer_key,
        first_seen_date,
        last_seen_date
    from {{ previous('dim_customer') }}
)

select
    customer_key,
    min(first_seen_date) as first_seen_date,
    max(last_seen_date) as last_seen_date
from seen
group by customer_key
