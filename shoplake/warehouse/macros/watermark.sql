{# The latest event time of a source (TIMESTAMP, UTC); null while nothing has landed. #}
{% macro watermark(source_name) -%}
  (select marks.watermark from {{ source('plan', 'watermarks') }} as marks where marks.source = '{{ source_name }}')
{%- endmacro %}
