{{ config(materialized='partitioned', partition_by='interaction_date') }}

select
    customer_key,
    interaction_type,
    channel,
    rating,
    message_ciphertext,
    interacted_at,
    interaction_date,
    is_conflict,
    _file_id,
    _line
from {{ ref('stg_interactions__interactions') }}
where {{ touched('interaction_date') }}
