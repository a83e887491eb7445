-- How well customers' value was predicted where it is known by now.
--
-- writes: full
select
    method as method,
    measure as measure,
    bucket as bucket,
    cast(customers as bigint) as customers,
    cast(expected as double) as expected,
    cast(actual as double) as actual,
    cast(mae as double) as mae,
    cast(rmse as double) as rmse,
    cast(total_error_pct as double) as total_error_pct,
    cast(gini as double) as gini,
    cast(top_decile_lift as double) as top_decile_lift
from gold.customer_purchases
where part in ('bucket', 'accuracy') and customers > 0
