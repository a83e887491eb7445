-- What is known of each customer's habits, in one row: the input of segments.
--
-- Figures are those of gold.rfm where it has them; nothing dated on or after its
-- as_of is read. Days, months and hours come from the invoices, codes from the lines.
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
seen_invoices as (
    select
        invoices.*,
        customers.as_of
    from gold.rfm as customers
    inner join silver.invoices as invoices
        on customers.customer_id = invoices.customer_id
        and invoices.invoice_date < customers.as_of
),

customer_days as (
    select
        customer_id,
        invoice_date,
        max(as_of) as as_of,
        max(invoice_date) filter (where product_lines > 0) as purchase_date,
        sum(units) as units,
        sum(gross_revenue - returns_amount) as net_revenue
    from seen_invoices
    group by customer_id, invoice_date
),

-- Before as_of: only customers who had bought by then are in gold.rfm.
first_purchases as (
    select
        customer_id as purchaser_id,
        min(invoice_date) as first_date
    from silver.invoices
    where product_lines > 0
    group by customer_id
),

-- A return before the first purchase counts in the first month.
months as (
    select
        customer_id,
        greatest(
            date_part('year', invoice_date) * 12 + date_part('month', invoice_date)
            - date_part('year', first_date) * 12 - date_part('month', first_date),
            0
        ) as month_no,
        max(as_of) as as_of,
        max(first_date) as first_date,
        max(purchase_date) as last_date,
        count(purchase_date) as purchase_days,
        sum(units) as units,
        cast(sum(net_revenue) as decimal(40, 4)) as spend
    from first_purchases
    inner join customer_days on purchaser_id = customer_id
    group by customer_id, month_no
),

histories as (
    select
        customer_id as buyer_id,
        max(as_of) as as_of,
        max(first_date) as first_date,
        max(last_date) as last_date,
        sum(purchase_days) as purchase_days,
        sum(units) as units,
        cast(sum(spend) as decimal(40, 4)) as spend,
        sum(spend * spend) as squared_spend,
        sum(spend * month_no) as spend_by_month_no
    from months
    group by customer_id
),

followed_histories as (
    select
        *,
        1 + cast(
            date_part('year', as_of - interval '1 day') * 12
            + date_part('month', as_of - interval '1 day')
            - date_part('year', first_date) * 12 - date_part('month', first_date)
            as bigint
        ) as months
    from histories
),

-- The country on most of the customer's lines, of any kind, as in silver.customers.
residences as (
    select
        customer_id,
        country,
        sum(lines) as lines
    from seen_invoices
    where country is not null
    group by customer_id, country
),

residents as (
    select
        customer_id as resident_id,
        first_value(country order by lines desc, country) as country
    from residences
    group by customer_id
),

returned_invoices as (
    select distinct
        customer_id,
        invoice_no
    from seen_invoices
    where returns_amount > 0
),

returners as (
    select
        customer_id as returner_id,
        count(*) as return_count
    from returned_invoices
    group by customer_id
),

-- Products are counted on: to the number of the table as it was come those that no
-- earlier line of the customer has. The join stands small table first: it is the one
-- that is held in memory.
new_products as (
    select
        sales.customer_id,
        count(distinct sales.stock_code) as products
    from (
        select
            lines.customer_id,
            lines.stock_code
        from gold.rfm as customers
        inner join new.silver.transactions as lines
            on customers.customer_id = lines.customer_id
            and lines.invoice_date < customers.as_of
        where lines.kind = 'sale' and lines.line_class = 'product'
    ) as sales
    left anti join old.silver.transactions as known
        on sales.customer_id = known.customer_id
        and sales.stock_code = known.stock_code
        and known.kind = 'sale'
    group by sales.customer_id
),

choosers as (
    select
        customer_id as chooser_id,
        sum(products) as distinct_products
    from (
        select
            customer_id,
            distinct_products as products
        from old.gold.customer_features
        union all
        select
            customer_id,
            products
        from new_products
    ) as parts
    group by customer_id
),

orders as (
    select
        customer_id,
        min(first_sold_at) as ordered_at
    from seen_invoices
    where product_lines > 0
    group by customer_id, invoice_no
),

order_weekdays as (
    select
        customer_id,
        date_part('isodow', ordered_at) as weekday,
        count(*) as orders
    from orders
    group by customer_id, weekday
),

order_hours as (
    select
        customer_id,
        date_part('hour', ordered_at) as hour,
        count(*) as orders
    from orders
    group by customer_id, hour
),

favourite_weekdays as (
    select
        customer_id as weekday_id,
        first_value(weekday order by orders desc, weekday) as weekday
    from order_weekdays
    group by customer_id
),

favourite_hours as (
    select
        customer_id as hour_id,
        first_value(hour order by orders desc, hour) as hour
    from order_hours
    group by customer_id
),

prospects as (
    select
        customer_id as prospect_id,
        p_alive
    from gold.cltv
)
select
    cast(customers.customer_id as bigint) as customer_id,
    cast(customers.recency_days as bigint) as recency_days,
    cast(customers.frequency as bigint) as orders,
    cast(units as bigint) as units,
    cast(customers.monetary as decimal(28, 4)) as monetary,
    cast(customers.monetary / customers.frequency as decimal(28, 4))
        as avg_order_value,
    cast(distinct_products as bigint) as distinct_products,
    cast(cast(last_date - first_date as bigint) as double)
        / nullif(cast(purchase_days - 1 as double), 0) as avg_days_between_purchases,
    cast(weekday as int) as favourite_weekday,
    cast(hour as int) as favourite_hour,
    country is not distinct from 'United Kingdom' as is_uk,
    cast(coalesce(return_count, 0) as bigint) as return_count,
    cast(coalesce(return_count, 0) as double)
        / cast(customers.frequency + coalesce(return_count, 0) as double)
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
    cast(customers.as_of - first_date as bigint) as tenure_days,
    cast(p_alive as double) as p_alive
from gold.rfm as customers
inner join followed_histories on customers.customer_id = buyer_id
inner join choosers on customers.customer_id = chooser_id
inner join favourite_weekdays on customers.customer_id = weekday_id
inner join favourite_hours on customers.customer_id = hour_id
left join residents on customers.customer_id = resident_id
left join returners on customers.customer_id = returner_id
left join prospects on customers.customer_id = prospect_id
