-- How good recommendations would have been where it is known by now.
--
-- writes: full
select
    algorithm as algorithm,
    cast(customers as bigint) as customers,
    cast(precision_at_10 as double) as precision_at_10,
    cast(recall_at_10 as double) as recall_at_10,
    cast(ndcg_at_10 as double) as ndcg_at_10,
    cast(map_at_10 as double) as map_at_10,
    cast(hit_rate_at_10 as double) as hit_rate_at_10,
    cast(coverage as double) as coverage,
    cast(novelty as double) as novelty,
    is_chosen as is_chosen
from gold.product_purchases
where part = 'quality'
