-- What is known of each customer's habits, in one row: the input of segments.
--
-- Figures are those of gold.rfm and gold.customer_histories where they have them;
-- nothing dated on or after as_of is read.
--
-- Months are numbered x = 0 … n - 1 from that of the first purchase. Deviation and
-- slope of the spend y are made of exact sums, to which months without spend add
-- nothing, and are floating point at the end only:
--     variance = (n Σy² - (Σy)²) / (n (n - 1))
--     slope = (n Σxy - Σx Σy) / (n Σx² - (Σx)²)
--           = 6 (2 Σxy - (n - 1) Σy) / (n (n² - 1))
--
-- writes: full
with
prospects as (
    select
        customer_id as prospect_id,
        p_alive
    from gold.cltv
),

followed_customers as (
    select
        customers.*,
        histories.* except (customer_id, orders, country, last_purchase_date),
        country is not distinct from 'United Kingdom' as is_uk,
        cast(customers.last_purchase_date - first_purchase_date as bigint) as days,
        cast(customers.as_of - first_purchase_date as bigint) as tenure_days,
        cast(net_revenue as decimal(40, 4)) as spend,
        cast(squared_monthly_revenue as decimal(60, 8)) as squared_spend,
        cast(monthly_revenue_by_month as decimal(50, 4)) as spend_by_month_no,
        1 + cast(
            date_part('year', as_of - interval '1 day') * 12
            + date_part('month', as_of - interval '1 day')
            - date_part('year', first_purchase_date) * 12
            - date_part('month', first_purchase_date)
            as bigint
        ) as months
    from gold.rfm as customers
    inner join gold.customer_histories as histories
        on customers.customer_id = histories.customer_id
)
select
    cast(customer_id as bigint) as customer_id,
    cast(recency_days as bigint) as recency_days,
    cast(frequency as bigint) as orders,
    cast(units as bigint) as units,
    cast(monetary as decimal(28, 4)) as monetary,
    cast(monetary / frequency as decimal(28, 4)) as avg_order_value,
    cast(distinct_products as bigint) as distinct_products,
    cast(days as double) / nullif(cast(purchase_days - 1 as double), 0)
        as avg_days_between_purchases,
    cast(favourite_weekday as int) as favourite_weekday,
    cast(favourite_hour as int) as favourite_hour,
    is_uk as is_uk,
    cast(return_count as bigint) as return_count,
    cast(return_count as double) / cast(frequency + return_count as double)
        as return_rate,
    cast(spend as double) / cast(months as double) as monthly_spend_mean,
    case
        when months = 1 then 0.0
        else sqrt(
            cast(months * squared_spend - spend * spend as double)
            / cast(months * (months - 1) as double)
        )
    end as monthly_spend_stddev,
    case
        when months = 1 then 0.0
        else cast(2 * spend_by_month_no - (months - 1) * spend as double) * 6
            / cast(months * (months * months - 1) as double)
    end as spend_trend,
    cast(tenure_days as bigint) as tenure_days,
    cast(p_alive as double) as p_alive
from followed_customers
left join prospects on followed_customers.customer_id = prospects.prospect_id
