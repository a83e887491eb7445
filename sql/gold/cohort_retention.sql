-- Customers by the month of their first purchase, followed month by month.
--
-- Months are numbered from the year 0. A return before the first purchase counts
-- in the first month, so that a cohort's net revenue is that of its customers.
--
-- writes: full
with
calendar as (
    select coalesce(
        (select as_of from lake.parameters),
        (select max(invoice_date) from silver.invoices) + interval '1 day'
    ) as as_of
),

buyers as (
    select
        customer_id as buyer_id,
        calendar.as_of as as_of,
        date_part('year', first_purchase_date) * 12
            + date_part('month', first_purchase_date) - 1 as cohort_no,
        date_part('year', calendar.as_of - interval '1 day') * 12
            + date_part('month', calendar.as_of - interval '1 day') - 1
            as last_month_no
    from calendar
    cross join gold.customer_histories
),

cohort_orders as (
    select
        cohort_no,
        last_month_no,
        customer_id,
        invoice_no,
        date_part('year', invoice_date) * 12 + date_part('month', invoice_date) - 1
            as month_no,
        product_lines,
        gross_revenue,
        gross_revenue - returns_amount as net_revenue
    from buyers
    inner join silver.invoices
        on buyer_id = customer_id and invoice_date < as_of
),

cohort_months as (
    select
        cohort_no,
        greatest(month_no - cohort_no, 0) as months_since,
        max(last_month_no) as last_month_no,
        count(distinct customer_id) filter (where product_lines > 0) as customers,
        count(distinct invoice_no) filter (where product_lines > 0) as orders,
        sum(gross_revenue) as gross_revenue,
        sum(net_revenue) as net_revenue
    from cohort_orders
    group by cohort_no, months_since
),

-- From each cohort's first month to the last: a row more than a cohort has sales
-- is a month without any.
triangle as (
    select
        cohort_no,
        unnest(range(0, max(last_month_no) - cohort_no + 1)) as months_since
    from cohort_months
    group by cohort_no
),

followed_months as (
    select
        triangle.cohort_no,
        triangle.months_since,
        coalesce(months.customers, 0) as customers,
        coalesce(months.orders, 0) as orders,
        coalesce(months.gross_revenue, 0) as gross_revenue,
        coalesce(months.net_revenue, 0) as net_revenue
    from triangle
    left join cohort_months as months
        on triangle.cohort_no = months.cohort_no
        and triangle.months_since = months.months_since
),

summed_months as (
    select
        *,
        max(customers) over (partition by cohort_no) as cohort_customers,
        sum(net_revenue) over (
            partition by cohort_no
            order by months_since
            rows between unbounded preceding and current row
        ) as net_revenue_so_far
    from followed_months
)
select
    make_date(cohort_no / 12, cohort_no % 12 + 1, 1) as cohort_month,
    cast(months_since as bigint) as months_since,
    cast(customers as bigint) as customers,
    cast(customers as double) / cast(cohort_customers as double) as retention,
    cast(net_revenue as decimal(28, 4)) as net_revenue,
    cast(orders as bigint) as orders,
    cast(
        cast(gross_revenue as decimal(28, 4)) / nullif(orders, 0)
        as decimal(28, 4)
    ) as aov,
    cast(
        cast(net_revenue_so_far as decimal(28, 4)) / cohort_customers
        as decimal(28, 4)
    ) as cumulative_revenue_per_customer
from summed_months
