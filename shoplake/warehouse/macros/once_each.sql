{#
  The rows of a lake relation, exact duplicates across files counted once (the copy of the smallest file id and line
  is kept), and `is_conflict` on rows that share their key and UTC day with other content.

  Landing has already looked within each file. So only rows that `_may_repeat` are looked at: those of files that may share
  rows with another file, and those that landing flagged. Of those, only rows whose key's hash comes more than once are
  compared; all others pass straight through, with no sort and no wide hash table.

  fields: every contract field; key: the contract's key; event_time: decides the day;
  winner: when given, only the first row of each key in this order stays.
#}
{% macro once_each(relation, fields, key, event_time, winner=none) -%}
  {%- set digest = 'hash(' ~ key | join(', ') ~ ', cast(' ~ event_time ~ ' as date))' -%}
  {%- set repeated -%}
    (
      select {{ digest }}
      from {{ relation }}
      where _may_repeat
      group by 1
      having count(*) > 1
    )
  {%- endset -%}
  (
    select {{ fields | join(', ') }}, _file_id, _line, false as is_conflict
    from {{ relation }}
    where not _may_repeat
    union all
    select {{ fields | join(', ') }}, _file_id, _line, false as is_conflict
    from {{ relation }}
    where _may_repeat and {{ digest }} not in {{ repeated }}
    union all
    select {{ fields | join(', ') }}, kept._file_id, kept._line, is_conflict
    from (
      select
        {{ fields | join(', ') }},
        min({'_file_id': _file_id, '_line': _line}) as kept,
        count(*) over (partition by {{ key | join(', ') }}, cast({{ event_time }} as date)) > 1 as is_conflict
      from {{ relation }}
      where _may_repeat and {{ digest }} in {{ repeated }}
      group by {{ fields | join(', ') }}
      {%- if winner %}
      qualify row_number() over (partition by {{ key | join(', ') }} order by {{ winner }}) = 1
      {%- endif %}
    )
  )
{%- endmacro %}
