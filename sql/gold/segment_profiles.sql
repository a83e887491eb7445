-- Each segment in one row: its size, its revenue, its customers' habits, and the three
-- features that set it apart most.
--
-- Means of floating point are taken of decimals, which have the same sum in whatever
-- order they are added up. The median of money has a place more than money before it
-- is rounded.
--
-- writes: full
with
members as (
    select
        segments.segment_id,
        segments.segment_name,
        features.* except (customer_id, is_uk),
        case when features.is_uk then 1 else 0 end as is_uk
    from gold.customer_segments as segments
    inner join gold.customer_features as features
        on segments.customer_id = features.customer_id
),

profiles as (
    select
        segment_id,
        segment_name,
        count(*) as customers,
        cast(sum(monetary) as decimal(28, 4)) as revenue,
        avg(recency_days) as mean_recency_days,
        median(cast(recency_days as double)) as median_recency_days,
        avg(orders) as mean_orders,
        median(cast(orders as double)) as median_orders,
        avg(units) as mean_units,
        median(cast(units as double)) as median_units,
        cast(sum(monetary) as decimal(28, 4)) / count(*) as mean_monetary,
        median(cast(monetary as decimal(33, 5))) as median_monetary,
        cast(sum(avg_order_value) as decimal(28, 4)) / count(*) as mean_avg_order_value,
        median(cast(avg_order_value as decimal(33, 5))) as median_avg_order_value,
        avg(distinct_products) as mean_distinct_products,
        median(cast(distinct_products as double)) as median_distinct_products,
        avg(cast(avg_days_between_purchases as decimal(38, 10)))
            as mean_avg_days_between_purchases,
        median(avg_days_between_purchases) as median_avg_days_between_purchases,
        avg(is_uk) as mean_is_uk,
        median(cast(is_uk as double)) as median_is_uk,
        avg(return_count) as mean_return_count,
        median(cast(return_count as double)) as median_return_count,
        avg(cast(return_rate as decimal(38, 10))) as mean_return_rate,
        median(return_rate) as median_return_rate,
        avg(cast(monthly_spend_mean as decimal(38, 10))) as mean_monthly_spend_mean,
        median(monthly_spend_mean) as median_monthly_spend_mean,
        avg(cast(monthly_spend_stddev as decimal(38, 10))) as mean_monthly_spend_stddev,
        median(monthly_spend_stddev) as median_monthly_spend_stddev,
        avg(cast(spend_trend as decimal(38, 10))) as mean_spend_trend,
        median(spend_trend) as median_spend_trend,
        avg(tenure_days) as mean_tenure_days,
        median(cast(tenure_days as double)) as median_tenure_days,
        avg(cast(p_alive as decimal(38, 10))) as mean_p_alive,
        median(p_alive) as median_p_alive
    from members
    group by segment_id, segment_name
),

ranked_differences as (
    select
        *,
        row_number() over (
            partition by segment_id
            order by abs(difference) desc, feature
        ) as difference_rank
    from gold.segment_differences
),

distinctions as (
    select
        segment_id as distinct_id,
        max(case when difference_rank = 1 then feature end) as distinguishing_1,
        max(case when difference_rank = 1 then difference end) as difference_1,
        max(case when difference_rank = 2 then feature end) as distinguishing_2,
        max(case when difference_rank = 2 then difference end) as difference_2,
        max(case when difference_rank = 3 then feature end) as distinguishing_3,
        max(case when difference_rank = 3 then difference end) as difference_3
    from ranked_differences
    group by segment_id
)
select
    cast(segment_id as bigint) as segment_id,
    segment_name as segment_name,
    cast(customers as bigint) as customers,
    cast(customers as double) / cast(sum(customers) over () as double) as customer_share,
    cast(revenue as decimal(28, 4)) as revenue,
    cast(revenue as double)
        / nullif(cast(sum(revenue) over () as double), 0) as revenue_share,
    distinguishing_1 as distinguishing_1,
    cast(difference_1 as double) as difference_1,
    distinguishing_2 as distinguishing_2,
    cast(difference_2 as double) as difference_2,
    distinguishing_3 as distinguishing_3,
    cast(difference_3 as double) as difference_3,
    cast(mean_recency_days as double) as mean_recency_days,
    cast(median_recency_days as double) as median_recency_days,
    cast(mean_orders as double) as mean_orders,
    cast(median_orders as double) as median_orders,
    cast(mean_units as double) as mean_units,
    cast(median_units as double) as median_units,
    cast(mean_monetary as decimal(28, 4)) as mean_monetary,
    cast(median_monetary as decimal(28, 4)) as median_monetary,
    cast(mean_avg_order_value as decimal(28, 4)) as mean_avg_order_value,
    cast(median_avg_order_value as decimal(28, 4)) as median_avg_order_value,
    cast(mean_distinct_products as double) as mean_distinct_products,
    cast(median_distinct_products as double) as median_distinct_products,
    cast(mean_avg_days_between_purchases as double) as mean_avg_days_between_purchases,
    cast(median_avg_days_between_purchases as double)
        as median_avg_days_between_purchases,
    cast(mean_is_uk as double) as mean_is_uk,
    cast(median_is_uk as double) as median_is_uk,
    cast(mean_return_count as double) as mean_return_count,
    cast(median_return_count as double) as median_return_count,
    cast(mean_return_rate as double) as mean_return_rate,
    cast(median_return_rate as double) as median_return_rate,
    cast(mean_monthly_spend_mean as double) as mean_monthly_spend_mean,
    cast(median_monthly_spend_mean as double) as median_monthly_spend_mean,
    cast(mean_monthly_spend_stddev as double) as mean_monthly_spend_stddev,
    cast(median_monthly_spend_stddev as double) as median_monthly_spend_stddev,
    cast(mean_spend_trend as double) as mean_spend_trend,
    cast(median_spend_trend as double) as median_spend_trend,
    cast(mean_tenure_days as double) as mean_tenure_days,
    cast(median_tenure_days as double) as median_tenure_days,
    cast(mean_p_alive as double) as mean_p_alive,
    cast(median_p_alive as double) as median_p_alive
from profiles
left join distinctions on profiles.segment_id = distinctions.distinct_id
