-- Cohort months whose average order is not that of the invoices of their customers.
with
orders as (
    select
        date_trunc('month', histories.first_purchase_date) as cohort,
        date_trunc('month', invoices.invoice_date) as month,
        invoices.gross_revenue
    from gold.rfm as customers
    inner join gold.customer_histories as histories
        on customers.customer_id = histories.customer_id
    inner join silver.invoices as invoices
        on customers.customer_id = invoices.customer_id
        and invoices.invoice_date < customers.as_of
    where invoices.product_lines > 0
),

sums as (
    select
        cast(cohort as date) as cohort_month,
        cast(
            date_part('year', month) * 12 + date_part('month', month)
            - date_part('year', cohort) * 12 - date_part('month', cohort)
            as bigint
        ) as months_since,
        sum(gross_revenue) as gross_revenue
    from orders
    group by cohort, month
)
select
    months.cohort_month,
    months.months_since,
    months.aov,
    sums.gross_revenue
from gold.cohort_retention as months
left join sums
    on months.cohort_month = sums.cohort_month and months.months_since = sums.months_since
where
    months.aov is distinct from cast(
        cast(sums.gross_revenue as decimal(28, 4)) / nullif(months.orders, 0) as decimal(28, 4)
    )
