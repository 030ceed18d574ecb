{# Units that can be sold: an oversold (negative) level is none on hand; an unknown level (null) stays unknown. #}
{% macro on_hand(level) -%}
  case when {{ level }} < 0 then 0 else {{ level }} end
{%- endmacro %}

{# `out` at or below 0; `low` above 0 and at or below the threshold (no threshold: never low); else `ok`. #}
{% macro stock_state(level, threshold) -%}
  case when {{ level }} <= 0 then 'out' when {{ level }} <= {{ threshold }} then 'low' else 'ok' end
{%- endmacro %}
