select
    customer_id as customer_key,
    interaction_type,
    channel,
    rating,
    message_excerpt as message_ciphertext,
    "timestamp" as interacted_at,
    {{ business_date('"timestamp"') }} as interaction_date,
    is_conflict,
    _file_id,
    _line
from {{ once_each(
    source('lake', 'interactions'),
    fields=['customer_id', 'interaction_type', 'channel', 'rating', 'message_excerpt', '"timestamp"'],
    key=['customer_id', 'interaction_type', '"timestamp"'],
    event_time='"timestamp"'
) }}
