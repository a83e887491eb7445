-- Series that do not go on, day after day, from the first of daily sales to the last
-- that is forecast of any.
select
    series,
    first_day,
    last_day,
    all_days,
    first_sale,
    last_forecast
from (
    select
        series,
        min(date) as first_day,
        max(date) as last_day,
        count(*) as all_days,
        max(max(date)) over () as last_forecast
    from gold.forecast
    group by series
) as followed
cross join (select min(sale_date) as first_sale from gold.daily_sales) as sales
where
    first_day <> first_sale
    or last_day <> last_forecast
    or all_days <> cast(last_day - first_day as bigint) + 1
