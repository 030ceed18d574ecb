{#
  A float amount as DECIMAL(18,2), rounded half away from zero as it was written: 1.005 is 1.01, though the float beneath
  is slightly less. The detour over six decimals takes that noise away, in integers and so at the price of a plain cast.
  An amount too large for the type is null, which the audit then reports with its file and line.
#}
{% macro money(column) -%}
  cast(try_cast({{ column }} as decimal(18, 6)) as decimal(18, 2))
{%- endmacro %}
