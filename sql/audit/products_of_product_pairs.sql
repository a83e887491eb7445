-- Products whose pairs are not those that gold.product_companions counts: their number,
-- their orders, the orders and the share of either product, and no pair in fewer orders
-- than gold/product_pair_limits.csv asks for.
with
pairs as (
    select
        kept.stock_code_a as first_code,
        count(*) as kept_pairs,
        sum(kept.orders_both) as kept_orders,
        count(
            case
                when
                    kept.orders_a = a.orders
                    and kept.orders_b = b.orders
                    and kept.orders_both >= limits.least_orders
                    and abs(kept.support * a.orders / (kept.orders_both * a.support) - 1) < 1e-12
                    then 1
            end
        ) as right_pairs
    from gold.product_pair_limits as limits
    cross join gold.product_pairs as kept
    left join gold.product_companions as a on kept.stock_code_a = a.stock_code
    left join gold.product_companions as b on kept.stock_code_b = b.stock_code
    group by kept.stock_code_a
)
select
    coalesce(companions.stock_code, pairs.first_code) as stock_code,
    companions.pairs,
    pairs.kept_pairs,
    pairs.right_pairs,
    companions.orders_in_pairs,
    pairs.kept_orders
from gold.product_companions as companions
full join pairs on companions.stock_code = pairs.first_code
where
    (companions.pairs is distinct from coalesce(pairs.kept_pairs, 0))
    or (companions.orders_in_pairs is distinct from coalesce(pairs.kept_orders, 0))
    or pairs.right_pairs <> pairs.kept_pairs
