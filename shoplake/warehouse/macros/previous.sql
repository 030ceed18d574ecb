{# The rows of a table in the last release, as far back as the model's `meta.previous` asks; none at first. #}
{% macro previous(table) -%}
  previous.{{ adapter.quote(table) }}
{%- endmacro %}
