-- Products that are ranked and unknown, or known and not ranked.
select
    coalesce(ranked.stock_code, known.stock_code) as stock_code,
    ranked.stock_code is not null as is_ranked
from gold.top_products as ranked
full join (
    select stock_code from silver.products where line_class = 'product'
) as known on ranked.stock_code = known.stock_code
where ranked.stock_code is null or known.stock_code is null
