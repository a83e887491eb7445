-- Cohort months whose average order is not that of the invoices of their customers.
with
calendar as (
    select max(as_of) as as_of from gold.rfm
),

customer_months as (
    select
        customer_id,
        date_trunc('month', invoice_date) as month,
        sum(product_lines) as product_lines,
        sum(gross_revenue) as gross_revenue
    from silver.invoices
    cross join calendar
    where customer_id is not null and invoice_date < calendar.as_of
    group by customer_id, date_trunc('month', invoice_date)
),

cohort_customers as (
    select
        *,
        min(case when product_lines > 0 then month end) over (partition by customer_id) as cohort
    from customer_months
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
    from cohort_customers
    where product_lines > 0
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
