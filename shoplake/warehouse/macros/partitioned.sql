{#
  Writes the model's rows as one encrypted Parquet file a partition, then shows them as a view together with the
  unchanged partitions that the plan keeps in sight. Where to write and what to show stands in `plan.targets`.
#}
{% materialization partitioned, adapter='duckdb' %}
  {%- set relation = this.incorporate(type='view') -%}
  {%- set column = config.get('partition_by') -%}
  {{ run_hooks(pre_hooks) }}
  {%- if config.get('contract').enforced -%}
    {{ get_assert_columns_equivalent(compiled_code) }}
  {%- endif -%}

  {%- set target = run_query(
      "select folder, copy_options, read_options, context_sql, settles from plan.targets where table_name = '"
      ~ model.name ~ "'"
  ).rows[0] -%}
  {% call statement('main') -%}
    copy (
      select model_rows.*, {{ partition_label('model_rows.' ~ column, target[4]) if column else "'all'" }} as _partition
      from ({{ compiled_code }}) as model_rows
    ) to '{{ target[0] }}' ({{ target[1] }}, partition_by (_partition), overwrite_or_ignore true)
  {%- endcall %}

  {%- set written = run_query("select file from glob('" ~ target[0] ~ "/*/*.parquet') order by file").columns[0].values() -%}
  {% call statement('show') -%}
    create or replace view {{ relation }} as
    {{ target[3] }}
    {% if written -%}
    union all by name
    select * from read_parquet(['{{ written | join("', '") }}'], {{ target[2] }}, hive_partitioning = false)
    {%- endif %}
  {%- endcall %}
  {{ run_hooks(post_hooks) }}
  {{ adapter.commit() }}
  {{ return({'relations': [relation]}) }}
{% endmaterialization %}

{#
  The name of the partition that holds a day: the day, or its month once months up to it are settled. Where no day of the
  build has settled, the day itself serves: writing a date as text costs as much as encrypting the row.
#}
{% macro partition_label(column, settles) -%}
  {%- if not settles %}{{ column }}{% else -%}
  case
    when {{ column }} <= (select settled_through from plan.settled) then strftime({{ column }}, '%Y-%m')
    else strftime({{ column }}, '%Y-%m-%d')
  end
  {%- endif -%}
{%- endmacro %}
