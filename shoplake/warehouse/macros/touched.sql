{# The days that this model must make anew: every partitioned model ends with `where {{ touched('its_date') }}`. #}
{% macro touched(column) -%}
  {{ column }} in (select days.day from {{ source('plan', 'touched_days') }} as days where days.table_name = '{{ model.name }}')
{%- endmacro %}
