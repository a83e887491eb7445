-- Which of the customers about to be lost are worth most?
select
    customer_id,
    segment,
    monetary,
    frequency,
    last_purchase_date,
    recency_days
from gold.rfm
where segment in ('At Risk', 'Cannot Lose Them')
order by monetary desc, customer_id
limit 20
