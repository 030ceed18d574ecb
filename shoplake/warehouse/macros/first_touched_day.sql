{# The first day that this model must make anew; what was known at its start comes from the last release. #}
{% macro first_touched_day() -%}
  (
    select min(days.day)
    from {{ source('plan', 'touched_days') }} as days
    where days.table_name = '{{ model.name }}'
  )
{%- endmacro %}
