-- Sales of each calendar day from the first valid line to the last.
--
-- writes: full
with
-- An order's lines of one day and one customer: the one pass over the lines.
order_parts as (
    select
        invoice_date,
        invoice_no,
        customer_id,
        count(*) filter (where kind = 'sale' and line_class = 'product')
            as product_sales,
        sum(quantity) filter (where kind = 'sale' and line_class = 'product')
            as units,
        sum(line_amount) filter (where kind = 'sale' and line_class = 'product')
            as gross_revenue,
        -sum(line_amount) filter (where kind = 'return' and line_class = 'product')
            as returns_amount,
        sum(line_amount) filter (
            where kind <> 'adjustment'
            and not (kind in ('sale', 'return') and line_class = 'product')
        ) as other_charges
    from silver.transactions
    group by invoice_date, invoice_no, customer_id
),

seen_order_parts as (
    select
        *,
        sum(gross_revenue) over (partition by invoice_date, invoice_no)
            as order_amount,
        max(case when product_sales > 0 then customer_id end)
            over (partition by invoice_date, invoice_no) as order_customer_id,
        min(case when product_sales > 0 then invoice_date end)
            over (partition by customer_id) as first_purchase_date
    from order_parts
),

trading_days as (
    select
        invoice_date,
        count(distinct invoice_no) filter (where product_sales > 0) as orders,
        sum(product_sales) as lines,
        coalesce(sum(units), 0) as units,
        coalesce(sum(gross_revenue), 0) as gross_revenue,
        coalesce(sum(returns_amount), 0) as returns_amount,
        coalesce(sum(other_charges), 0) as other_charges,
        count(distinct customer_id) filter (where product_sales > 0) as customers,
        count(distinct invoice_no)
            filter (where product_sales > 0 and order_customer_id is null)
            as guest_orders,
        count(distinct customer_id)
            filter (where product_sales > 0 and invoice_date = first_purchase_date)
            as new_customers,
        max(order_amount) filter (where product_sales > 0) as largest_order,
        min(order_amount) filter (where product_sales > 0) as smallest_order
    from seen_order_parts
    group by invoice_date
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
        coalesce(trading_days.gross_revenue, 0)
            - coalesce(trading_days.returns_amount, 0) as net_revenue
    from calendar
    left join trading_days on calendar.sale_date = trading_days.invoice_date
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
    cast(coalesce(new_customers, 0) as bigint) as new_customers,
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
