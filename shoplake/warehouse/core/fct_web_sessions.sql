{{ config(
    materialized='partitioned',
    partition_by='session_date',
    meta={'touches': {'while_running': true}, 'span_end': 'ended_at'}
) }}

with linked as (
    select
        *,
        -- A predecessor that is out of sight belongs to a session of a day that is not rebuilt: the chain is cut there.
        is_session_start
        or coalesce(
            occurred_at - lag(occurred_at) over (partition by session_id, customer_key order by occurred_at)
            > interval {{ var('session_gap_minutes') }} minute,
            true
        ) as is_chain_start
    from {{ ref('fct_web_events') }}
),

chained as (
    select
        *,
        max(case when is_chain_start then occurred_at end) over (
            partition by session_id, customer_key
            order by occurred_at
        ) as started_at
    from linked
),

sessions as (
    select
        session_id,
        customer_key,
        started_at,
        max(occurred_at) as ended_at,
        {{ business_date('started_at') }} as session_date,
        count(*) as events,
        count(*) filter (where event_type = 'View') as views,
        count(*) filter (where event_type = 'Click') as clicks,
        count(*) filter (where event_type = 'Scroll') as scrolls,
        any_value(device_type) filter (where is_session_start) as device_type,
        any_value(browser) filter (where is_session_start) as browser,
        any_value(page) filter (where is_session_start) as entry_page
    from chained
    group by session_id, customer_key, started_at
    having bool_or(is_session_start)
)

select
    md5(coalesce(customer_key, '') || '|' || epoch_us(started_at) || '|' || session_id) as session_key,
    session_id,
    customer_key,
    started_at,
    ended_at,
    session_date,
    {{ seconds_between('started_at', 'ended_at') }} as duration_seconds,
    events,
    views,
    clicks,
    scrolls,
    events = 1 as is_bounce,
    ended_at < started_at + interval 10 second and views < 2 and clicks = 0 as is_bounce_ga4,
    device_type,
    browser,
    entry_page
from sessions
where {{ touched('session_date') }}
