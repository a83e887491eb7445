-- Cohort months whose average order is not that of the invoices of their customers.
with
calendar as (
    select max(as_of) as as_of from gold.rfm
),

cohorts as (
    select
        customer_id as buyer_id,
        max(calendar.as_of) as as_of,
        min(date_trunc('month', invoice_date)) as cohort
    from silver.invoices
    cross join calendar
    where product_lines > 0 and customer_id is not null and invoice_date < calendar.as_of
    group by customer_id
),

orders as (
    select
        cohort,
        date_trunc('month', invoice_date) as month,
        gross_revenue
    from cohorts
    inner join silver.invoices
        on buyer_id = customer_id and invoice_date < as_of
    where product_lines > 0
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
