-- The rows of gold/product_pair_limits.csv, when they are not one with all three limits.
select
    count(*) as rows,
    count(smallest_basket) as smallest_baskets,
    count(largest_basket) as largest_baskets,
    count(least_orders) as least_orders
from gold.product_pair_limits
having
    count(*) <> 1
    or count(smallest_basket) <> 1
    or count(largest_basket) <> 1
    or count(least_orders) <> 1
