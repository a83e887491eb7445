-- Orders per day.
--
-- writes: full
select
    sale_date,
    ordres as orders
from gold.daily_sales
