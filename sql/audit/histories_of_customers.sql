-- Customers whose history is not that of their invoices before as_of, or who have none.
with
calendar as (
    select coalesce(max(as_of), make_date(9999, 12, 31)) as as_of
    from gold.rfm
),

months as (
    select
        invoices.customer_id,
        greatest(
            date_part('year', invoices.invoice_date) * 12
            + date_part('month', invoices.invoice_date)
            - date_part('year', histories.first_purchase_date) * 12
            - date_part('month', histories.first_purchase_date),
            0
        ) as month_no,
        min(invoices.invoice_date) filter (where invoices.product_lines > 0) as first_date,
        max(invoices.invoice_date) filter (where invoices.product_lines > 0) as last_date,
        sum(invoices.units) as units,
        cast(sum(invoices.gross_revenue - invoices.returns_amount) as decimal(40, 4)) as revenue
    from gold.customer_histories as histories
    right join silver.invoices as invoices
        on histories.customer_id = invoices.customer_id
    where invoices.customer_id is not null and invoices.invoice_date < (select as_of from calendar)
    group by invoices.customer_id, month_no
),

sums as (
    select
        customer_id,
        min(first_date) as first_date,
        max(last_date) as last_date,
        sum(units) as units,
        sum(revenue) as revenue,
        sum(revenue * revenue) as squared_revenue,
        sum(revenue * month_no) as revenue_by_month
    from months
    group by customer_id
    having count(first_date) > 0
)
select
    coalesce(histories.customer_id, sums.customer_id) as customer_id,
    histories.first_purchase_date,
    sums.first_date,
    histories.last_purchase_date,
    sums.last_date,
    histories.units,
    sums.units as units_of_invoices,
    histories.net_revenue,
    sums.revenue,
    histories.squared_monthly_revenue,
    sums.squared_revenue,
    histories.monthly_revenue_by_month,
    sums.revenue_by_month
from gold.customer_histories as histories
full join sums on histories.customer_id = sums.customer_id
where
    (histories.first_purchase_date is distinct from sums.first_date)
    or (histories.last_purchase_date is distinct from sums.last_date)
    or (histories.units is distinct from sums.units)
    or (histories.net_revenue is distinct from sums.revenue)
    or (histories.squared_monthly_revenue is distinct from sums.squared_revenue)
    or (histories.monthly_revenue_by_month is distinct from sums.revenue_by_month)
