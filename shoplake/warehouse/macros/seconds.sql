{# Seconds from one timestamp to another, to the microsecond (DOUBLE). #}
{% macro seconds_between(earlier, later) -%}
  date_diff('microsecond', {{ earlier }}, {{ later }}) / 1000000
{%- endmacro %}
