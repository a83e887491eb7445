-- Orders per day.
--
-- writes: full
select
    sale_date,
    orders as orders
from gold.daily_sale
