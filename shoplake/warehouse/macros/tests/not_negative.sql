{# Rows with a value below 0 in any of `columns`. #}
{% test not_negative(model, columns) %}
select *
from {{ model }}
where {% for column in columns %}{{ "or " if not loop.first }}{{ column }} < 0 {% endfor %}
{% endtest %}
