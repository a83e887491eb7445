-- Rules of gold/segment_names.csv that can never hold: of a feature that segments are
-- not learned of, or with a lower limit above the upper one.
select
    names.priority,
    names.segment_name,
    names.feature
from gold.segment_names as names
left join (
    values
        ('recency_days'), ('orders'), ('units'), ('monetary'), ('avg_order_value'),
        ('distinct_products'), ('avg_days_between_purchases'), ('is_uk'),
        ('return_count'), ('return_rate'), ('monthly_spend_mean'),
        ('monthly_spend_stddev'), ('spend_trend'), ('tenure_days'), ('p_alive')
) as known (feature) on names.feature = known.feature
where
    (names.feature is not null and known.feature is null)
    or cast(names.at_least as double) > cast(names.at_most as double)
