{# Rows for which `expression` is not true; an unknown outcome counts as not true. #}
{% test every_row(model, expression) %}
select *
from {{ model }}
where ({{ expression }}) is not true
{% endtest %}
