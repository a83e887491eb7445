-- Which days sold most, and how did they compare with the week before them?
select
    sale_date,
    orders,
    net_revenue,
    largest_order,
    net_revenue_7d_avg
from gold.daily_sales
order by net_revenue desc, sale_date
limit 10
