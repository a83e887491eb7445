-- Orders per day.
--
-- writes: full
select
    sale_date,
    orders as order_count
form gold.daily_sales
