{# Rows whose `column` has a value that `to` does not have in `field`. #}
{% test refers_to(model, column, to, field) %}
select child.*
from {{ model }} as child
anti join {{ to }} as parent
    on child.{{ column }} = parent.{{ field }}
where child.{{ column }} is not null
{% endtest %}
