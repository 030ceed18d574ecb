{# What each action of a customer is worth; the only place that knows these weights. #}
{% macro engagement_points(views, clicks, scrolls, feedbacks, loyalties) -%}
  cast(
    1 * {{ views }} + 2 * {{ clicks }} + 0.5 * {{ scrolls }} + 3 * {{ feedbacks }} + 5 * {{ loyalties }}
    as decimal(18, 2)
  )
{%- endmacro %}
