-- Orders per day.
--
-- writes: full
select
    sale_date,
    orders as order_count
from gold.daily_sales
