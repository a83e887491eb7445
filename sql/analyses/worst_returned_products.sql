-- Which products that sell in some number come back most, by value?
select
    stock_code,
    description,
    units,
    gross_revenue,
    returns_amount,
    return_rate
from gold.top_products
where orders >= 20
order by return_rate desc, stock_code
limit 20
