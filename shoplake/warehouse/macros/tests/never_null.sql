{# Rows that lack a value in any of `columns`. #}
{% test never_null(model, columns) %}
select *
from {{ model }}
where {% for column in columns %}{{ "or " if not loop.first }}{{ column }} is null {% endfor %}
{% endtest %}
