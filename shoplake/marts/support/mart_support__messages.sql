{# Texts are opened here and nowhere else: `open_text` asks the vault, and gives null for a person who was erased. #}
{{
  config(
    materialized='partitioned', partition_by='interaction_date',
    meta={'lasts': 'message_text_days', 'opens': {'message_text': 'customer_key'}}
  )
}}

select
    interaction_date,
    interacted_at,
    customer_key,
    interaction_type,
    channel,
    rating,
    open_text(customer_key, message_ciphertext) as message_text,
    _file_id,
    _line
from {{ ref('fct_interactions') }}
where message_ciphertext is not null and {{ touched('interaction_date') }}
