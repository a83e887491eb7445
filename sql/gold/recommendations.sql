-- What to offer each customer next: the best ten products that they have not bought.
--
-- writes: full
select
    cast(learned.customer_id as bigint) as customer_id,
    cast(learned.rank as bigint) as rank,
    learned.stock_code as stock_code,
    products.description as description,
    cast(learned.score as double) as score,
    learned.algorithm as algorithm,
    learned.because_of as because_of,
    cast(customers.as_of as date) as generated_as_of
from gold.product_purchases as learned
inner join gold.rfm as customers on learned.customer_id = customers.customer_id
left join silver.products as products on learned.stock_code = products.stock_code
where learned.part = 'recommendation'
