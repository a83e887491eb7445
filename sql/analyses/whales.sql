-- Which customers are unlike all others, and what are they worth?
select
    segments.customer_id,
    segments.segment_name,
    segments.outlier_score,
    features.monetary,
    features.orders,
    features.avg_order_value,
    features.return_rate,
    features.recency_days
from gold.customer_segments as segments
inner join gold.customer_features as features
    on segments.customer_id = features.customer_id
where segments.is_outlier
order by features.monetary desc, segments.customer_id
limit 20
