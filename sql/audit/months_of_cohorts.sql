-- Cohorts that are not followed through every month up to that of the last day, and
-- months whose cumulative revenue is not that of the months before.
with
followed as (
    select
        cohort_month,
        months_since,
        cumulative_revenue_per_customer,
        date_part('year', cohort_month) * 12 + date_part('month', cohort_month) + months_since
            as month_no,
        row_number() over so_far - 1 as months_before,
        max(months_since) over (partition by cohort_month) as last_month,
        cast(
            cast(sum(net_revenue) over so_far as decimal(28, 4))
            / max(customers) over (partition by cohort_month)
            as decimal(28, 4)
        ) as mean
    from gold.cohort_retention
    window so_far as (
        partition by cohort_month
        order by months_since
        rows between unbounded preceding and current row
    )
),

calendar as (
    select
        date_part('year', last_day) * 12 + date_part('month', last_day) as last_month_no
    from (select max(as_of) - interval '1 day' as last_day from gold.rfm) as days
)
select
    cohort_month,
    months_since,
    cumulative_revenue_per_customer,
    mean
from followed
cross join calendar
where
    months_since <> months_before
    or (months_since = last_month and month_no <> last_month_no)
    or cumulative_revenue_per_customer <> mean
