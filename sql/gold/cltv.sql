-- How much each customer will be worth, beside two rules of thumb.
--
-- Customers without a purchase day are worth nothing; the model has no row for them.
-- When it has none for anybody, nothing was learned, and no value is known.
--
-- writes: full
with
learned_customers as (
    select
        customer_id as learned_id,
        * except (customer_id)
    from gold.customer_purchases
    where part = 'customer'
),

valued_customers as (
    select
        customers.customer_id as known_id,
        customers.as_of as as_of,
        customers.frequency as orders,
        customers.monetary as monetary,
        customers.recency_days + 1 as idle_days,
        cast(customers.as_of - histories.first_purchase_date as bigint)
            as tenure_days,
        learned.*
    from gold.rfm as customers
    inner join gold.customer_histories as histories
        on customers.customer_id = histories.customer_id
    left join learned_customers as learned
        on customers.customer_id = learned.learned_id
),

ranked_customers as (
    select
        *,
        cast(
            ntile(5) over (order by coalesce(clv, 0) desc, known_id) as bigint
        ) as fifth
    from valued_customers
),

-- After the ranks: a window over all rows makes one batch of them, too large to be
-- sorted in little memory.
judged_customers as (
    select
        *,
        count(learned_id) over () > 0 as is_learned
    from ranked_customers
)
select
    cast(known_id as bigint) as customer_id,
    cast(as_of as date) as as_of,
    cast(frequency as bigint) as frequency,
    cast(recency_days as bigint) as recency_days,
    cast(age_days as bigint) as age_days,
    cast(monetary_value as double) as monetary_value,
    cast(p_alive as double) as p_alive,
    cast(expected_purchases_30d as double) as expected_purchases_30d,
    cast(expected_purchases_90d as double) as expected_purchases_90d,
    cast(expected_purchases_365d as double) as expected_purchases_365d,
    cast(expected_order_value as double) as expected_order_value,
    cast(case when is_learned then coalesce(clv, 0) end as double) as clv_12m,
    cast(case when is_learned then coalesce(clv_p05, 0) end as double) as clv_p05,
    cast(case when is_learned then coalesce(clv_p95, 0) end as double) as clv_p95,
    case
        when is_learned
            then make_array('Top', 'High', 'Middle', 'Low', 'Minimal')[fifth]
    end as clv_segment,
    model as model,
    cast(orders * monetary as double) / cast(idle_days as double) as clv_simple,
    cast(monetary as double) / cast(tenure_days as double) * 365 as clv_naive_365
from judged_customers
