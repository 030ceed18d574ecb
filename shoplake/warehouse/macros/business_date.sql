{# The business day of a UTC timestamp. In UTC it is a plain cast, which is an order of magnitude cheaper. #}
{% macro business_date(column) -%}
  {%- if var('timezone') == 'UTC' -%}
    cast({{ column }} as date)
  {%- else -%}
    cast(timezone('{{ var("timezone") }}', timezone('UTC', {{ column }})) as date)
  {%- endif -%}
{%- endmacro %}
