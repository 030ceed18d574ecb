{#
  Business days on which the table does not hold exactly the distinct rows that the lake holds.

  lake: name of the lake source; event_time: its time; day: the table's date column;
  identity: the lake's columns that make two rows the same one.
  Only days of this build are compared, for the lake shows no others whole.
#}
{% test reconciles_with_lake(model, lake, event_time, day, identity) %}
{%- set flagged = '(_flags >= ' ~ var('conflict_bit') ~ ' and (_flags & ' ~ var('conflict_bit') ~ ') <> 0)' %}
with touched_days as (
    select days.day
    from {{ source('plan', 'touched_days') }} as days
    where days.table_name = '{{ model.identifier }}'
),

plain_days as (
    select
        {{ business_date(event_time) }} as day,
        count(*) as plain
    from {{ source('lake', lake) }}
    where not (_may_repeat or {{ flagged }})
    group by day
),

compared_days as (
    select
        {{ business_date(event_time) }} as day,
        count(distinct hash({{ identity | join(', ') }})) as compared
    from {{ source('lake', lake) }}
    where _may_repeat or {{ flagged }}
    group by day
),

table_days as (
    select
        {{ day }} as day,
        count(*) as held
    from {{ model }}
    group by all
)

select
    touched_days.day,
    coalesce(plain_days.plain, 0) + coalesce(compared_days.compared, 0) as lake_rows,
    coalesce(table_days.held, 0) as table_rows
from touched_days
left join plain_days on touched_days.day = plain_days.day
left join compared_days on touched_days.day = compared_days.day
left join table_days on touched_days.day = table_days.day
where lake_rows <> table_rows
{% endtest %}
