-- Differences that are not those of the customers of the segment: of each feature, the
-- mean over all of them, in standard deviations of the customers who are no outliers
-- from the mean of these.
--
-- Features are as in sql/gold/customer_clusters.sql; of all but shares the signed
-- logarithm is taken. Where customers are alike but for the last bits of a figure, the
-- deviation is one of rounding, and so is what differs.
with
habits as (
    select
        members.segment_id as member_of,
        members.is_outlier,
        unnest(make_array(
            'recency_days', 'orders', 'units', 'monetary', 'avg_order_value',
            'distinct_products', 'avg_days_between_purchases', 'is_uk', 'return_count',
            'return_rate', 'monthly_spend_mean', 'monthly_spend_stddev', 'spend_trend',
            'tenure_days', 'p_alive'
        )) as habit,
        unnest(make_array(
            cast(features.recency_days as double),
            cast(features.orders as double),
            cast(features.units as double),
            cast(features.monetary as double),
            cast(features.avg_order_value as double),
            cast(features.distinct_products as double),
            coalesce(
                features.avg_days_between_purchases,
                cast(features.tenure_days as double)
            ),
            case when features.is_uk then 1.0 else 0.0 end,
            cast(features.return_count as double),
            features.return_rate,
            features.monthly_spend_mean,
            features.monthly_spend_stddev,
            features.spend_trend,
            cast(features.tenure_days as double),
            coalesce(features.p_alive, 1.0)
        )) as figure
    from gold.customer_segments as members
    inner join gold.customer_features as features
        on members.customer_id = features.customer_id
),

scaled_habits as (
    select
        member_of,
        habit,
        is_outlier,
        case
            when habit in ('is_uk', 'return_rate', 'p_alive') then figure
            else signum(figure) * ln(1 + abs(figure))
        end as figure
    from habits
),

ordinary_habits as (
    select
        habit as ordinary_habit,
        avg(figure) as ordinary_mean,
        stddev_pop(figure) as deviation
    from scaled_habits
    where not is_outlier
    group by habit
),

segment_habits as (
    select
        member_of,
        habit,
        avg(figure) as segment_mean
    from scaled_habits
    group by member_of, habit
),

differences as (
    select
        member_of,
        habit,
        segment_mean - ordinary_mean as distance,
        deviation
    from segment_habits
    inner join ordinary_habits on habit = ordinary_habit
)
select
    told.segment_id,
    told.feature,
    told.difference,
    differences.distance,
    differences.deviation
from gold.segment_differences as told
left join differences
    on told.segment_id = differences.member_of and told.feature = differences.habit
where
    differences.deviation is null
    or abs(told.difference * differences.deviation - differences.distance)
    > 1e-6 * (differences.deviation + abs(differences.distance)) + 1e-9
