-- How recently, how often and for how much each customer bought, scored 1 to 5.
--
-- A score is 1 + floor(5 * customers strictly worse / customers): equals score
-- alike. rank() - 1 counts the customers who are strictly worse; it gives equals
-- the same number, so its order needs no last key.
--
-- writes: full
with
calendar as (
    select coalesce(
        (select as_of from lake.parameters),
        (select max(invoice_date) from silver.invoices) + interval '1 day'
    ) as as_of
),

purchases as (
    select
        customer_id,
        cast(calendar.as_of as date) as as_of,
        last_purchase_date,
        orders as frequency,
        net_revenue as monetary
    from calendar
    cross join gold.customer_histories
),

recent_purchases as (
    select
        *,
        as_of - last_purchase_date as recency_days
    from purchases
),

compared_customers as (
    select
        *,
        cast(rank() over (order by recency_days desc) as bigint) - 1 as less_recent,
        cast(rank() over (order by frequency) as bigint) - 1 as less_frequent,
        cast(rank() over (order by monetary) as bigint) - 1 as less_valuable,
        count(*) over () as all_customers
    from recent_purchases
),

scores as (
    select
        *,
        1 + 5 * less_recent / all_customers as r_score,
        1 + 5 * less_frequent / all_customers as f_score,
        1 + 5 * less_valuable / all_customers as m_score
    from compared_customers
),

-- The average of f and m rounded half up is (f + m + 1) / 2 in whole numbers.
segmented_customers as (
    select
        scores.*,
        map.segment as segment
    from scores
    left join gold.rfm_segments_map as map
        on scores.r_score = map.r_score
        and (scores.f_score + scores.m_score + 1) / 2 = map.fm_score
)
select
    cast(customer_id as bigint) as customer_id,
    cast(as_of as date) as as_of,
    cast(last_purchase_date as date) as last_purchase_date,
    cast(recency_days as bigint) as recency_days,
    cast(frequency as bigint) as frequency,
    cast(monetary as decimal(28, 4)) as monetary,
    cast(r_score as bigint) as r_score,
    cast(f_score as bigint) as f_score,
    cast(m_score as bigint) as m_score,
    concat(
        cast(r_score as text),
        cast(f_score as text),
        cast(m_score as text)
    ) as rfm_score,
    segment as segment,
    cast(
        row_number() over (
            partition by segment
            order by monetary desc, customer_id
        ) as bigint
    ) as segment_rank
from segmented_customers
