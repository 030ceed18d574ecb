{#
  A float amount as DECIMAL(18,2), rounded half away from zero by the number as it was written: 1.005 is 1.01,
  though the float beneath is slightly less. Only amounts close to half a cent take the slow way by text.
  An amount too large for the type is null, which the audit then reports with its file and line.
#}
{% macro money(column) -%}
  case
    when abs(abs({{ column }} * 100) % 1 - 0.5) < 0.001
      then try_cast(cast({{ column }} as varchar) as decimal(18, 2))
    else try_cast(round({{ column }}, 2) as decimal(18, 2))
  end
{%- endmacro %}
