{{ config(materialized='partitioned', partition_by='event_date') }}

select
    event_date,
    page,
    device_type,
    browser,
    event_type,
    count(*) as events
from {{ ref('fct_web_events') }}
where {{ touched('event_date') }}
group by event_date, page, device_type, browser, event_type
