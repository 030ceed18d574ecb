{# The instant (UTC) at which a business day begins; the inverse of `business_date`. #}
{% macro day_start(day) -%}
  {%- if var('timezone') == 'UTC' -%}
    cast({{ day }} as timestamp)
  {%- else -%}
    timezone('UTC', timezone('{{ var("timezone") }}', cast({{ day }} as timestamp)))
  {%- endif -%}
{%- endmacro %}
