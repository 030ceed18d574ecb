select
    session_id,
    user_id as customer_key,
    page,
    device_type,
    browser,
    event_type,
    "timestamp" as occurred_at,
    {{ business_date('"timestamp"') }} as event_date,
    is_conflict,
    _file_id,
    _line
from {{ once_each(
    source('lake', 'web_events'),
    fields=['session_id', 'user_id', 'page', 'device_type', 'browser', 'event_type', '"timestamp"'],
    key=['session_id', 'user_id', '"timestamp"', 'page', 'event_type'],
    event_time='"timestamp"'
) }}
