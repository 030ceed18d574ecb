{{ config(materialized='partitioned', partition_by='session_date') }}

select
    session_date,
    session_key,
    customer_key,
    started_at,
    ended_at,
    duration_seconds,
    events,
    views,
    clicks,
    scrolls,
    is_bounce,
    is_bounce_ga4,
    device_type,
    browser,
    entry_page
from {{ ref('fct_web_sessions') }}
where {{ touched('session_date') }}
