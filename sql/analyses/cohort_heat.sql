-- How many of each month's new customers come back 1, 2, 3, 6 and 9 months later?
select
    cohort_month,
    max(customers) as new_customers,
    max(case when months_since = 1 then retention end) as after_1_month,
    max(case when months_since = 2 then retention end) as after_2_months,
    max(case when months_since = 3 then retention end) as after_3_months,
    max(case when months_since = 6 then retention end) as after_6_months,
    max(case when months_since = 9 then retention end) as after_9_months
from gold.cohort_retention
group by cohort_month
order by cohort_month
limit 24
