{# An event's predecessor matters only within the session gap, so it stands on the same day or on those just before. #}
{{ config(
    materialized='partitioned',
    partition_by='event_date',
    meta={
        'touches': {'after': var('session_gap_minutes') // 1440 + 1},
        'reads': {'before': var('session_gap_minutes') // 1440 + 1}
    }
) }}

with ordered as (
    select
        *,
        occurred_at - lag(occurred_at) over (
            partition by session_id, customer_key
            order by occurred_at, page, event_type, device_type, browser
        ) as since_previous
    from {{ ref('stg_web_events__events') }}
)

select
    session_id,
    customer_key,
    page,
    device_type,
    browser,
    event_type,
    occurred_at,
    event_date,
    case
        when since_previous <= interval {{ var('session_gap_minutes') }} minute
            then {{ seconds_between('occurred_at - since_previous', 'occurred_at') }}
    end as seconds_since_previous,
    coalesce(since_previous > interval {{ var('session_gap_minutes') }} minute, true) as is_session_start,
    is_conflict,
    _file_id,
    _line
from ordered
where {{ touched('event_date') }}
