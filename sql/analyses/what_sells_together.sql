-- Which products are bought together far more often than by chance?
select
    pairs.stock_code_a,
    a.description as description_a,
    pairs.stock_code_b,
    b.description as description_b,
    pairs.orders_both,
    pairs.confidence_ab,
    pairs.confidence_ba,
    pairs.lift
from gold.product_pairs as pairs
inner join silver.products as a on pairs.stock_code_a = a.stock_code
inner join silver.products as b on pairs.stock_code_b = b.stock_code
where pairs.orders_both >= 100
order by pairs.lift desc, pairs.stock_code_a, pairs.stock_code_b
limit 20
