-- Sales of each calendar day from the first valid line to the last.
--
-- Days with new lines are added up anew, by their invoices; the others stay as they
-- are, but for who was new on them. The joins stand small table first: it is the one
-- that is held in memory.
--
-- writes: full
with
seen_days as (
    select distinct invoice_date as seen_date
    from new.silver.transactions
),

seen_invoices as (
    select invoices.*
    from seen_days
    inner join silver.invoices as invoices
        on seen_days.seen_date = invoices.invoice_date
),

-- An invoice's lines of one day; it has a customer when a product line names one.
invoice_days as (
    select
        invoice_date,
        invoice_no,
        sum(product_lines) as product_lines,
        sum(units) as units,
        sum(gross_revenue) as gross_revenue,
        sum(returns_amount) as returns_amount,
        sum(other_charges) as other_charges,
        max(case when product_lines > 0 then customer_id end) as customer_id
    from seen_invoices
    group by invoice_date, invoice_no
),

invoiced_days as (
    select
        invoice_date,
        count(*) filter (where product_lines > 0) as orders,
        sum(product_lines) as lines,
        sum(units) as units,
        sum(gross_revenue) as gross_revenue,
        sum(returns_amount) as returns_amount,
        sum(other_charges) as other_charges,
        count(*) filter (where product_lines > 0 and customer_id is null)
            as guest_orders,
        max(gross_revenue) filter (where product_lines > 0) as largest_order,
        min(gross_revenue) filter (where product_lines > 0) as smallest_order
    from invoice_days
    group by invoice_date
),

shopping_days as (
    select
        invoice_date as shopping_date,
        count(distinct customer_id) as customers
    from seen_invoices
    where product_lines > 0
    group by invoice_date
),

trading_days as (
    select
        invoiced_days.*,
        coalesce(shopping_days.customers, 0) as customers
    from invoiced_days
    left join shopping_days on invoice_date = shopping_date
    union all by name
    select
        known.sale_date as invoice_date,
        known.orders,
        known.lines,
        known.units,
        known.gross_revenue,
        known.returns_amount,
        known.other_charges,
        known.guest_orders,
        known.largest_order,
        known.smallest_order,
        known.customers
    from old.gold.daily_sales as known
    left anti join seen_days on known.sale_date = seen_days.seen_date
    where known.is_trading_day
),

first_purchases as (
    select
        customer_id,
        min(invoice_date) as first_date
    from silver.invoices
    where product_lines > 0 and customer_id is not null
    group by customer_id
),

first_days as (
    select
        first_date,
        count(*) as new_customers
    from first_purchases
    group by first_date
),

calendar as (
    select unnest(
        generate_series(first_day, last_day, interval '1 day')
    ) as sale_date
    from (
        select
            min(invoice_date) as first_day,
            max(invoice_date) as last_day
        from trading_days
    ) as span
),

days as (
    select
        calendar.sale_date as sale_date,
        trading_days.invoice_date is not null as is_trading_day,
        trading_days.*,
        coalesce(first_days.new_customers, 0) as new_customers,
        coalesce(trading_days.gross_revenue, 0)
            - coalesce(trading_days.returns_amount, 0) as net_revenue
    from calendar
    left join trading_days on calendar.sale_date = trading_days.invoice_date
    left join first_days on calendar.sale_date = first_days.first_date
)
select
    cast(sale_date as date) as sale_date,
    is_trading_day as is_trading_day,
    cast(coalesce(orders, 0) as bigint) as orders,
    cast(coalesce(lines, 0) as bigint) as lines,
    cast(coalesce(units, 0) as bigint) as units,
    cast(coalesce(gross_revenue, 0) as decimal(28, 4)) as gross_revenue,
    cast(coalesce(returns_amount, 0) as decimal(28, 4)) as returns_amount,
    cast(net_revenue as decimal(28, 4)) as net_revenue,
    cast(coalesce(other_charges, 0) as decimal(28, 4)) as other_charges,
    cast(coalesce(customers, 0) as bigint) as customers,
    cast(coalesce(guest_orders, 0) as bigint) as guest_orders,
    cast(new_customers as bigint) as new_customers,
    cast(coalesce(customers - new_customers, 0) as bigint) as returning_customers,
    cast(
        cast(gross_revenue as decimal(28, 4)) / nullif(orders, 0)
        as decimal(28, 4)
    ) as aov,
    cast(largest_order as decimal(28, 4)) as largest_order,
    cast(smallest_order as decimal(28, 4)) as smallest_order,
    cast(
        cast(sum(net_revenue) over last_seven_days as decimal(28, 4))
        / count(*) over last_seven_days
        as decimal(28, 4)
    ) as net_revenue_7d_avg
from days
window last_seven_days as (
    order by sale_date
    rows between 6 preceding and current row
)
