-- Every known customer of a valid line: when seen, where, how often.
--
-- writes: full
with
residences as (
    select
        customer_id,
        country,
        sum(lines) as lines,
        min(invoice_date) as first_seen,
        max(invoice_date) as last_seen
    from silver.invoices
    where customer_id is not null
    group by customer_id, country
),

known_customers as (
    select
        customer_id,
        min(first_seen) as first_seen,
        max(last_seen) as last_seen,
        first_value(country order by lines desc, country)
            filter (where country is not null) as country
    from residences
    group by customer_id
),

ordering_customers as (
    select
        customer_id as buyer_id,
        count(*) as orders
    from (
        select distinct customer_id, invoice_no
        from silver.invoices
        where product_lines > 0 and customer_id is not null
    ) as customer_orders
    group by customer_id
),

shopping_customers as (
    select
        customer_id as shopper_id,
        count(*) as order_days
    from (
        select distinct customer_id, invoice_date
        from silver.invoices
        where product_lines > 0 and customer_id is not null
    ) as customer_days
    group by customer_id
)
select
    cast(customer_id as bigint) as customer_id,
    cast(first_seen as date) as first_seen,
    cast(last_seen as date) as last_seen,
    country as country,
    country is not distinct from 'United Kingdom' as is_uk,
    cast(coalesce(orders, 0) as bigint) as orders,
    cast(coalesce(order_days, 0) as bigint) as order_days
from known_customers
left join ordering_customers
    on known_customers.customer_id = ordering_customers.buyer_id
left join shopping_customers
    on known_customers.customer_id = shopping_customers.shopper_id
