{{ config(materialized='partitioned', partition_by='activity_date') }}

with web as (
    select
        event_date as activity_date,
        customer_key,
        count(*) filter (where event_type = 'View') as views,
        count(*) filter (where event_type = 'Click') as clicks,
        count(*) filter (where event_type = 'Scroll') as scrolls,
        count(*) as web_events
    from {{ ref('fct_web_events') }}
    where customer_key is not null and {{ touched('event_date') }}
    group by event_date, customer_key
),

contacts as (
    select
        interaction_date as activity_date,
        customer_key,
        count(*) filter (where interaction_type = 'Feedback') as feedbacks,
        count(*) filter (where interaction_type = 'Loyalty') as loyalties,
        count(*) filter (where interaction_type = 'Complaint') as complaints,
        count(*) as interactions,
        count(rating) as ratings,
        coalesce(sum(rating), 0) as rating_total
    from {{ ref('fct_interactions') }}
    where {{ touched('interaction_date') }}
    group by interaction_date, customer_key
),

days as (
    select * -- noqa: RF02
    from web
    full join contacts using (activity_date, customer_key)
),

counted as (
    select
        activity_date,
        customer_key,
        coalesce(views, 0) as views,
        coalesce(clicks, 0) as clicks,
        coalesce(scrolls, 0) as scrolls,
        coalesce(feedbacks, 0) as feedbacks,
        coalesce(loyalties, 0) as loyalties,
        coalesce(complaints, 0) as complaints,
        coalesce(web_events, 0) as web_events,
        coalesce(interactions, 0) as interactions,
        coalesce(ratings, 0) as ratings,
        cast(coalesce(rating_total, 0) as bigint) as rating_total
    from days
)

select
    *,
    {{ engagement_points('views', 'clicks', 'scrolls', 'feedbacks', 'loyalties') }} as points
from counted
