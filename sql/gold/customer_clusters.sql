-- The customers by their habits, as numbers of which segments are learned.
--
-- One purchase day has no gap: the time since then stands for it. Where the model of
-- purchases knows no end of a customer, all are taken for alive.
--
-- Beside them what was published before, so that a segment that is found again keeps
-- its number, and a clustering that is much worse is not shown.
--
-- learns: segments
-- writes: nothing
with
last_members as (
    select
        customer_id as last_customer_id,
        segment_id as last_segment_id
    from last.gold.customer_segments
),

-- The mean of decimals is the same in whatever order they are added up.
last_quality as (
    select avg(cast(silhouette as decimal(20, 12))) as last_silhouette
    from last.gold.customer_segments
)
select
    cast(features.customer_id as bigint) as customer_id,
    cast(features.recency_days as double) as recency_days,
    cast(features.orders as double) as orders,
    cast(features.units as double) as units,
    cast(features.monetary as double) as monetary,
    cast(features.avg_order_value as double) as avg_order_value,
    cast(features.distinct_products as double) as distinct_products,
    coalesce(
        features.avg_days_between_purchases,
        cast(features.tenure_days as double)
    ) as avg_days_between_purchases,
    case when features.is_uk then 1.0 else 0.0 end as is_uk,
    cast(features.return_count as double) as return_count,
    cast(features.return_rate as double) as return_rate,
    cast(features.monthly_spend_mean as double) as monthly_spend_mean,
    cast(features.monthly_spend_stddev as double) as monthly_spend_stddev,
    cast(features.spend_trend as double) as spend_trend,
    cast(features.tenure_days as double) as tenure_days,
    coalesce(features.p_alive, 1.0) as p_alive,
    cast(last_members.last_segment_id as bigint) as previous_segment_id,
    cast(last_quality.last_silhouette as double) as previous_silhouette
from gold.customer_features as features
left join last_members on features.customer_id = last_members.last_customer_id
cross join last_quality
