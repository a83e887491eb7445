-- Orders per day.
--
-- writes: full
select
    sale_date,
    cast(orders as double) as orders
from gold.daily_sales
