{#
  Days on which the table's sums differ from those of another table, which are of the same rows. A day that one of them
  lacks sums to 0, as does one without a value.
  Compared are the days of this build, and all others that both tables show.

  day, other_day: the date columns; columns: names that both have.
#}
{% test same_daily_sums(model, to, day, other_day, columns) %}
with own as (
    select
        {{ day }} as day
        {%- for column in columns %}, sum({{ column }}) as {{ column }}{% endfor %}
    from {{ model }}
    group by all
),

other as (
    select
        {{ other_day }} as day
        {%- for column in columns %}, sum({{ column }}) as {{ column }}{% endfor %}
    from {{ to }}
    group by all
)

select
    day
    {%- for column in columns %}, own.{{ column }}, other.{{ column }} as other_{{ column }}{% endfor %}
from own
full join other using (day)
where
    (
        {% for column in columns -%}
            {{ "or " if not loop.first }}coalesce(own.{{ column }}, 0) <> coalesce(other.{{ column }}, 0)
        {% endfor -%}
    )
    and (
        (own.day is not null and other.day is not null)
        or day in (
            select days.day
            from {{ source('plan', 'touched_days') }} as days
            where days.table_name = '{{ model.identifier }}'
        )
    )
{% endtest %}
