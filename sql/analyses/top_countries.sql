-- Which countries earn most, and what is a customer worth in each?
select
    revenue_rank,
    country,
    customers,
    orders,
    net_revenue,
    aov,
    revenue_per_customer
from gold.country_sales
order by revenue_rank, country
limit 10
