-- Days whose largest or smallest order is not that of their invoices.
with
orders as (
    select
        invoice_date,
        invoice_no,
        sum(gross_revenue) as gross_revenue
    from silver.invoices
    where kind = 'sale'
    group by invoice_date, invoice_no
    having sum(product_lines) > 0
),

extremes as (
    select
        invoice_date,
        max(gross_revenue) as largest_order,
        min(gross_revenue) as smallest_order
    from orders
    group by invoice_date
)
select
    days.sale_date,
    days.largest_order,
    extremes.largest_order as largest_of_invoices,
    days.smallest_order,
    extremes.smallest_order as smallest_of_invoices
from gold.daily_sales as days
left join extremes on days.sale_date = extremes.invoice_date
where
    (days.largest_order is distinct from cast(extremes.largest_order as decimal(28, 4)))
    or (days.smallest_order is distinct from cast(extremes.smallest_order as decimal(28, 4)))
