{#
  Days on which `column` does not sum to the number of rows of another table.
  other_where: condition on the other table's rows; all of them when it is not given.
  Compared are the days of this build, and all others that both tables show.
#}
{% test counts_daily_rows(model, to, day, other_day, column, other_where="true") %}
with own as (
    select
        {{ day }} as day,
        sum({{ column }}) as counted
    from {{ model }}
    group by all
),

other as (
    select
        {{ other_day }} as day,
        count(*) as row_count
    from {{ to }}
    where {{ other_where }}
    group by all
)

select
    day,
    own.counted,
    other.row_count
from own
full join other using (day)
where
    coalesce(own.counted, 0) <> coalesce(other.row_count, 0)
    and (
        (own.day is not null and other.day is not null)
        or day in (
            select days.day
            from {{ source('plan', 'touched_days') }} as days
            where days.table_name = '{{ model.identifier }}'
        )
    )
{% endtest %}
