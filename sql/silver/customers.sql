-- Every known customer of a valid line: when seen, where, how often.
--
-- writes: full
with
-- A customer's lines by invoice, day and country: the one pass over the lines.
visits as (
    select
        customer_id,
        country,
        invoice_no,
        invoice_date,
        count(*) as line_count,
        count(*) filter (where kind = 'sale' and line_class = 'product')
            as product_sales
    from silver.transactions
    where customer_id is not null
    group by customer_id, country, invoice_no, invoice_date
),

weighed_visits as (
    select
        *,
        sum(line_count) over (partition by customer_id, country) as country_lines
    from visits
),

known_customers as (
    select
        customer_id,
        min(invoice_date) as first_seen,
        max(invoice_date) as last_seen,
        first_value(country order by country_lines desc, country)
            filter (where country is not null) as country,
        count(distinct invoice_no) filter (where product_sales > 0) as orders,
        count(distinct invoice_date) filter (where product_sales > 0) as order_days
    from weighed_visits
    group by customer_id
)
select
    cast(customer_id as bigint) as customer_id,
    cast(first_seen as date) as first_seen,
    cast(last_seen as date) as last_seen,
    country as country,
    country is not distinct from 'United Kingdom' as is_uk,
    cast(orders as bigint) as orders,
    cast(order_days as bigint) as order_days
from known_customers
