-- Means and medians of segments that are not those of the features of their customers.
-- Those of money are held against the last digit in figures_of_segment_profiles.
with
habits as (
    select
        members.segment_id as member_of,
        unnest(make_array(
            'recency_days', 'orders', 'units', 'distinct_products',
            'avg_days_between_purchases', 'is_uk', 'return_count', 'return_rate',
            'monthly_spend_mean', 'monthly_spend_stddev', 'spend_trend', 'tenure_days',
            'p_alive'
        )) as habit,
        unnest(make_array(
            cast(features.recency_days as double),
            cast(features.orders as double),
            cast(features.units as double),
            cast(features.distinct_products as double),
            features.avg_days_between_purchases,
            case when features.is_uk then 1.0 else 0.0 end,
            cast(features.return_count as double),
            features.return_rate,
            features.monthly_spend_mean,
            features.monthly_spend_stddev,
            features.spend_trend,
            cast(features.tenure_days as double),
            features.p_alive
        )) as figure
    from gold.customer_segments as members
    inner join gold.customer_features as features
        on members.customer_id = features.customer_id
),

segment_habits as (
    select
        member_of,
        habit,
        avg(figure) as made_mean,
        median(figure) as made_median
    from habits
    group by member_of, habit
),

profiles as (
    select
        segment_id,
        unnest(make_array(
            'recency_days', 'orders', 'units', 'distinct_products',
            'avg_days_between_purchases', 'is_uk', 'return_count', 'return_rate',
            'monthly_spend_mean', 'monthly_spend_stddev', 'spend_trend', 'tenure_days',
            'p_alive'
        )) as feature,
        unnest(make_array(
            mean_recency_days, mean_orders, mean_units, mean_distinct_products,
            mean_avg_days_between_purchases, mean_is_uk, mean_return_count,
            mean_return_rate, mean_monthly_spend_mean, mean_monthly_spend_stddev,
            mean_spend_trend, mean_tenure_days, mean_p_alive
        )) as told_mean,
        unnest(make_array(
            median_recency_days, median_orders, median_units, median_distinct_products,
            median_avg_days_between_purchases, median_is_uk, median_return_count,
            median_return_rate, median_monthly_spend_mean, median_monthly_spend_stddev,
            median_spend_trend, median_tenure_days, median_p_alive
        )) as told_median
    from gold.segment_profiles
)
select
    profiles.segment_id,
    profiles.feature,
    profiles.told_mean,
    segment_habits.made_mean,
    profiles.told_median,
    segment_habits.made_median
from profiles
left join segment_habits
    on profiles.segment_id = segment_habits.member_of
    and profiles.feature = segment_habits.habit
where
    (profiles.told_mean is null) <> (segment_habits.made_mean is null)
    or (profiles.told_median is null) <> (segment_habits.made_median is null)
    or abs(profiles.told_mean - segment_habits.made_mean)
    > 1e-8 * (1 + abs(segment_habits.made_mean))
    or abs(profiles.told_median - segment_habits.made_median)
    > 1e-8 * (1 + abs(segment_habits.made_median))
