{# A case that is not resolved is followed until it times out or until the watermark, whichever comes first. #}
{{ config(materialized='partitioned', partition_by='opened_date') }}

with followed as (
    select
        *,
        least(
            opened_at + interval {{ var('case_timeout_days') }} day, {{ watermark('interactions') }}
        ) as followed_until
    from {{ ref('fct_support_cases') }}
    where {{ touched('opened_date') }}
)

select
    opened_date,
    case_key,
    customer_key,
    channel,
    case_state,
    complaints,
    opened_at,
    resolved_at,
    closed_at,
    next_contact_at,
    resolution_seconds,
    {{ seconds_between('opened_at', 'next_contact_at') }} as contact_seconds,
    {{ seconds_between('opened_at', 'coalesce(resolved_at, followed_until)') }} as followed_seconds,
    {{ seconds_between('opened_at', 'coalesce(next_contact_at, followed_until)') }} as followed_to_contact_seconds
from followed
