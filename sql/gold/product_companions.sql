-- What each product has in pairs with the products behind it, in the order of codes:
-- by this the pairs are held against the orders.
--
-- writes: full
select
    stock_code_a as stock_code,
    cast(max(orders_a) as bigint) as orders,
    cast(max(orders_a) as double) / cast(max(all_orders) as double) as support,
    cast(count(stock_code_b) as bigint) as pairs,
    cast(sum(case when stock_code_b is null then 0 else orders_both end) as bigint)
        as orders_in_pairs,
    cast(sum(case when stock_code_b is null then orders_both else 0 end) as bigint)
        as orders_in_rare_pairs
from gold.product_pair_counts
group by stock_code_a
