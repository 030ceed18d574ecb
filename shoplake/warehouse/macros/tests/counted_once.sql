{#
  Landed rows that stand in the table twice, by (_file_id, _line). Lines are bits: blocks of 65,536 lines of a file whose
  number of rows differs from the number of distinct lines hold the duplicates. Exact, and without a big hash table.
#}
{% test counted_once(model) %}
with blocks as (
    select
        _file_id,
        _line >> 16 as block
    from {{ model }}
    group by _file_id, block
    having count(*) <> bit_count(bitstring_agg(_line & 65535, 0, 65535))
)

select rows_again.*
from {{ model }} as rows_again
semi join blocks
    on rows_again._file_id = blocks._file_id and rows_again._line >> 16 = blocks.block
qualify count(*) over (partition by rows_again._file_id, rows_again._line) > 1
{% endtest %}
