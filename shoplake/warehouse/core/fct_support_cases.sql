{#
  Cases follow each other: a complaint opens one only at or after the close of the customer's case before. So a change
  can reach every later case, and a case opened up to the timeout earlier (one day more for clock changes).
#}
{{ config(
    materialized='partitioned',
    partition_by='opened_date',
    meta={
        'touches': {
            'before': var('case_timeout_days') + 1, 'to_latest': true, 'since_watermark': 'interactions'
        },
        'previous': {'fct_support_cases': var('case_timeout_days') + 1}
    }
) }}

with recursive interactions as (
    select *
    from {{ ref('fct_interactions') }}
    where {{ touched('interaction_date') }}
),

complaints as (
    select
        customer_key,
        interacted_at as opened_at,
        interaction_date as opened_date,
        min(channel) as channel,
        count(*) as complaints,
        interacted_at + interval {{ var('case_timeout_days') }} day as times_out_at
    from interactions
    where interaction_type = 'Complaint'
    group by customer_key, interacted_at, interaction_date
),

resolving as (
    select
        customer_key,
        interacted_at
    from interactions
    where interaction_type in ('Feedback', 'Loyalty') and coalesce(rating, 3) >= 3
),

-- Each complaint as if it opened a case: the case ends with the first strictly later resolving interaction, or in time.
candidates as (
    select
        complaints.*,
        case when resolving.interacted_at <= complaints.times_out_at then resolving.interacted_at end as resolved_at,
        least(resolving.interacted_at, complaints.times_out_at) as ends_at
    from complaints
    asof left join resolving
        on
            complaints.customer_key = resolving.customer_key
            and complaints.opened_at < resolving.interacted_at
),

-- The case that the last release knew to be the customer's latest before these days.
carried as (
    select
        customer_key,
        max(coalesce(closed_at, opened_at + interval {{ var('case_timeout_days') }} day)) as ends_at
    from {{ previous('fct_support_cases') }}
    where opened_date < {{ first_touched_day() }}
    group by customer_key
),

followed as (
    select
        candidates.*,
        later.opened_at as next_opened_at
    from candidates
    asof left join complaints as later
        on
            candidates.customer_key = later.customer_key
            and candidates.ends_at <= later.opened_at
),

opened as (
    select
        followed.customer_key,
        min(followed.opened_at) as opened_at
    from followed
    left join carried on followed.customer_key = carried.customer_key
    where carried.ends_at is null or carried.ends_at <= followed.opened_at
    group by followed.customer_key

    union all

    select
        followed.customer_key,
        followed.next_opened_at
    from opened
    inner join followed
        on opened.customer_key = followed.customer_key and opened.opened_at = followed.opened_at
    where followed.next_opened_at is not null
),

cases as (
    select followed.*
    from opened
    inner join followed
        on opened.customer_key = followed.customer_key and opened.opened_at = followed.opened_at
),

-- A complaint belongs to the latest case opened by then; those before the first belong to a case of earlier days.
joined as (
    select
        cases.customer_key,
        cases.opened_at,
        sum(complaints.complaints) as complaints
    from complaints
    asof inner join cases
        on
            complaints.customer_key = cases.customer_key
            and complaints.opened_at >= cases.opened_at
    group by cases.customer_key, cases.opened_at
),

contacts as (
    select distinct
        customer_key,
        interacted_at
    from interactions
)

select
    md5(cases.customer_key || '|' || epoch_us(cases.opened_at)) as case_key,
    cases.customer_key,
    cases.opened_at,
    cases.opened_date,
    cases.resolved_at,
    case when cases.ends_at <= {{ watermark('interactions') }} then cases.ends_at end as closed_at,
    case
        when cases.resolved_at is not null then 'resolved'
        when cases.ends_at <= {{ watermark('interactions') }} then 'unresolved'
        else 'open'
    end as case_state,
    cast(joined.complaints as bigint) as complaints,
    case when contacts.interacted_at <= cases.times_out_at then contacts.interacted_at end as next_contact_at,
    {{ seconds_between('cases.opened_at', 'cases.resolved_at') }} as resolution_seconds,
    cases.channel
from cases
inner join joined
    on cases.customer_key = joined.customer_key and cases.opened_at = joined.opened_at
asof left join contacts
    on cases.customer_key = contacts.customer_key and cases.opened_at < contacts.interacted_at
where {{ touched('cases.opened_date') }}
