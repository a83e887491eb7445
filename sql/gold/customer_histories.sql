-- What each customer bought before as_of, in sums that no later day changes: scores,
-- values, features and cohorts are made of them.
--
-- Months are numbered x = 0 … n - 1 from that of the first purchase. Of the monthly
-- spend y the sums Σy, Σy² and Σxy are kept: months without spend add nothing, so
-- that deviation and slope follow from them for any n.
--
-- Only customers with new lines are looked at anew, by their invoices; the rows of
-- all others stay. Products are counted on: to those of the row as it was come those
-- that no earlier line of the customer has. The joins stand small table first: it is
-- the one that is held in memory.
--
-- writes: full
with
calendar as (
    select coalesce(
        (select as_of from lake.parameters),
        make_date(9999, 12, 31)
    ) as as_of
),

seen_customers as (
    select
        seen.customer_id as seen_id,
        calendar.as_of as as_of
    from calendar
    cross join (
        select distinct customer_id
        from new.silver.transactions
        where customer_id is not null
    ) as seen
),

seen_invoices as (
    select invoices.*
    from seen_customers
    inner join silver.invoices as invoices
        on seen_customers.seen_id = invoices.customer_id
        and invoices.invoice_date < seen_customers.as_of
),

customer_days as (
    select
        customer_id,
        invoice_date,
        max(invoice_date) filter (where product_lines > 0) as purchase_date,
        sum(units) as units,
        sum(gross_revenue - returns_amount) as net_revenue
    from seen_invoices
    group by customer_id, invoice_date
),

purchase_spans as (
    select
        customer_id as buyer_id,
        min(purchase_date) as first_date,
        max(purchase_date) as last_date,
        count(purchase_date) as purchase_days
    from customer_days
    group by customer_id
    having count(purchase_date) > 0
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
        sum(units) as units,
        cast(sum(net_revenue) as decimal(40, 4)) as spend
    from purchase_spans
    inner join customer_days on buyer_id = customer_id
    group by customer_id, month_no
),

spends as (
    select
        customer_id as spender_id,
        sum(units) as units,
        sum(spend) as spend,
        sum(spend * spend) as squared_spend,
        sum(spend * month_no) as spend_by_month_no
    from months
    group by customer_id
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
        sum(orders) as orders,
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

new_purchases as (
    select
        lines.customer_id,
        lines.stock_code
    from seen_customers
    inner join new.silver.transactions as lines
        on seen_customers.seen_id = lines.customer_id
        and lines.invoice_date < seen_customers.as_of
    where lines.kind = 'sale' and lines.line_class = 'product'
),

new_products as (
    select
        sales.customer_id,
        count(distinct sales.stock_code) as products
    from new_purchases as sales
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
        from old.gold.customer_histories
        union all
        select
            customer_id,
            products
        from new_products
    ) as parts
    group by customer_id
),

seen_histories as (
    select
        spender_id as customer_id,
        first_date as first_purchase_date,
        last_date as last_purchase_date,
        purchase_days,
        orders,
        units,
        spend as net_revenue,
        squared_spend as squared_monthly_revenue,
        spend_by_month_no as monthly_revenue_by_month,
        distinct_products,
        weekday as favourite_weekday,
        hour as favourite_hour,
        country,
        coalesce(return_count, 0) as return_count
    from spends
    inner join purchase_spans on spender_id = buyer_id
    inner join choosers on spender_id = chooser_id
    inner join favourite_weekdays on spender_id = weekday_id
    inner join favourite_hours on spender_id = hour_id
    left join residents on spender_id = resident_id
    left join returners on spender_id = returner_id
),

all_histories as (
    select * from seen_histories
    union all by name
    select known.*
    from old.gold.customer_histories as known
    left anti join seen_customers on known.customer_id = seen_customers.seen_id
)
select
    cast(customer_id as bigint) as customer_id,
    cast(first_purchase_date as date) as first_purchase_date,
    cast(last_purchase_date as date) as last_purchase_date,
    cast(purchase_days as bigint) as purchase_days,
    cast(orders as bigint) as orders,
    cast(units as bigint) as units,
    cast(net_revenue as decimal(28, 4)) as net_revenue,
    cast(squared_monthly_revenue as decimal(38, 8)) as squared_monthly_revenue,
    cast(monthly_revenue_by_month as decimal(38, 4)) as monthly_revenue_by_month,
    cast(distinct_products as bigint) as distinct_products,
    cast(favourite_weekday as int) as favourite_weekday,
    cast(favourite_hour as int) as favourite_hour,
    country as country,
    cast(return_count as bigint) as return_count
from all_histories
