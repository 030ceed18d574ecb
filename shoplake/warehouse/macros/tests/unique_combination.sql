{#
  Rows that share the values of `columns`. First a narrow group-by over 8-byte hashes, then the exact comparison on
  the few rows whose hash came twice.
#}
{% test unique_combination(model, columns) %}
{%- set key = columns | join(', ') %}
select *
from {{ model }}
where hash({{ key }}) in (
    select hash({{ key }}) as key_hash
    from {{ model }}
    group by key_hash
    having count(*) > 1
)
qualify count(*) over (partition by {{ key }}) > 1
{% endtest %}
