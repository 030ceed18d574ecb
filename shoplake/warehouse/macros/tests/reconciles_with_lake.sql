{#
  Business days on which the table does not hold exactly the distinct rows that the lake holds.

  lake: name of the lake source; event_time: its time; day: the table's date column;
  identity: the lake's columns that make two rows the same one.
  Only days of this build are compared, for the lake shows no others whole.
#}
{% test reconciles_with_lake(model, lake, event_time, day, identity) %}
{%- set flagged = '(_flags & ' ~ var('conflict_bit') ~ ') <> 0' %}
with touched_days as (
    select days.day
    from {{ source('plan', 'touched_days') }} as days
    where days.table_name = '{{ model.identifier }}'
),

lake_days as (
    select
        {{ business_date(event_time) }} as day,
        count(*) filter (where not (_may_repeat or {{ flagged }})) as plain,
        count(distinct hash({{ identity | join(', ') }})) filter (where _may_repeat or {{ flagged }}) as compared
    from {{ source('lake', lake) }}
    group by all
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
    coalesce(lake_days.plain + lake_days.compared, 0) as lake_rows,
    coalesce(table_days.held, 0) as table_rows
from touched_days
left join lake_days on touched_days.day = lake_days.day
left join table_days on touched_days.day = table_days.day
where lake_rows <> table_rows
{% endtest %}
