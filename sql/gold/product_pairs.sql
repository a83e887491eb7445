-- Which products are bought together: pairs of products in enough of the same orders.
--
-- writes: full
select
    stock_code_a as stock_code_a,
    stock_code_b as stock_code_b,
    cast(orders_a as bigint) as orders_a,
    cast(orders_b as bigint) as orders_b,
    cast(orders_both as bigint) as orders_both,
    cast(orders_both as double) / cast(all_orders as double) as support,
    cast(orders_both as double) / cast(orders_a as double) as confidence_ab,
    cast(orders_both as double) / cast(orders_b as double) as confidence_ba,
    cast(orders_both * all_orders as double) / cast(orders_a * orders_b as double) as lift,
    cast(orders_both as double) / cast(all_orders as double)
        - cast(orders_a as double) / cast(all_orders as double)
        * (cast(orders_b as double) / cast(all_orders as double)) as leverage
from gold.product_pair_counts
where stock_code_b is not null
