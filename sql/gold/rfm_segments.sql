-- Each RFM segment that has customers: how many, how good, and what to do.
--
-- writes: full
with
segments as (
    select
        segment,
        count(*) as customers,
        sum(recency_days) as recency_days,
        sum(frequency) as frequency,
        cast(sum(monetary) as decimal(28, 4)) as revenue
    from gold.rfm
    group by segment
)
select
    segments.segment as segment,
    cast(segments.customers as bigint) as customers,
    cast(segments.customers as double)
        / cast(sum(segments.customers) over () as double) as customer_share,
    cast(segments.recency_days as double)
        / cast(segments.customers as double) as avg_recency,
    cast(segments.frequency as double)
        / cast(segments.customers as double) as avg_frequency,
    cast(segments.revenue / segments.customers as decimal(28, 4)) as avg_monetary,
    cast(segments.revenue as decimal(28, 4)) as revenue,
    cast(segments.revenue as double)
        / nullif(cast(sum(segments.revenue) over () as double), 0)
        as revenue_share,
    actions.suggested_action as suggested_action
from segments
left join gold.rfm_segment_actions as actions
    on segments.segment = actions.segment
