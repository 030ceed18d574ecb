{{ config(materialized='partitioned', partition_by='interaction_date') }}

select
    interaction_date,
    interacted_at,
    customer_key,
    interaction_type,
    channel,
    rating,
    message_ciphertext is not null as has_message,
    _file_id,
    _line
from {{ ref('fct_interactions') }}
where {{ touched('interaction_date') }}
