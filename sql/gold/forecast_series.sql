-- The series that are forecast, day by day: sales of all countries, orders, units, and
-- the sales of the ten countries that sell most, with all others as one.
--
-- The countries of a day add up to its `net_revenue`. As in gold.country_sales, the
-- unknown country is one; a country called `Other` is always among the others. Those
-- that neither bought nor returned a product have no series.
--
-- learns: forecast
-- writes: nothing
with
-- The hour of a day's last line tells whether the day is covered to its end.
last_hours as (
    select
        invoice_date as traded_date,
        max(last_hour) as last_hour
    from silver.invoices
    group by invoice_date
),

days as (
    select
        sales.*,
        last_hours.last_hour as last_hour
    from gold.daily_sales as sales
    left join last_hours on sales.sale_date = last_hours.traded_date
    cross join lake.parameters as parameters
    where parameters.as_of is null or sales.sale_date < parameters.as_of
),

country_days as (
    select
        coalesce(invoices.country, 'Unspecified') as country,
        invoices.invoice_date,
        sum(invoices.gross_revenue - invoices.returns_amount) as net_revenue
    from silver.invoices as invoices
    cross join lake.parameters as parameters
    where
        (parameters.as_of is null or invoices.invoice_date < parameters.as_of)
        and (invoices.gross_revenue > 0 or invoices.returns_amount > 0)
    group by coalesce(invoices.country, 'Unspecified'), invoices.invoice_date
),

ranked_countries as (
    select
        country,
        row_number() over (
            order by
                case when country = 'Other' then 1 else 0 end,
                sum(net_revenue) desc,
                country
        ) as revenue_rank
    from country_days
    group by country
),

named_countries as (
    select
        country,
        case when revenue_rank <= 10 then country else 'Other' end as name
    from ranked_countries
),

country_sales as (
    select
        names.name as sold_in,
        country_days.invoice_date as sold_on,
        sum(country_days.net_revenue) as sold_for
    from named_countries as names
    inner join country_days on names.country = country_days.country
    group by names.name, country_days.invoice_date
),

followed_countries as (
    select
        concat('net_revenue: ', names.name) as series,
        'net_revenue' as parent,
        days.sale_date as sale_date,
        coalesce(country_sales.sold_for, 0) as amount,
        false as is_count,
        days.is_trading_day as is_trading_day,
        days.last_hour as last_hour
    from (select distinct name from named_countries) as names
    cross join days
    left join country_sales
        on names.name = country_sales.sold_in
        and days.sale_date = country_sales.sold_on
),

followed_totals as (
    select
        names.series as series,
        days.sale_date as sale_date,
        case names.series
            when 'orders' then days.orders
            when 'units' then days.units
            else days.net_revenue
        end as amount,
        names.series <> 'net_revenue' as is_count,
        days.is_trading_day as is_trading_day,
        days.last_hour as last_hour
    from (values ('net_revenue'), ('orders'), ('units')) as names (series)
    cross join days
),

all_series as (
    select * from followed_countries
    union all by name
    select * from followed_totals
)
select
    series as series,
    parent as parent,
    cast(sale_date as date) as sale_date,
    cast(amount as double) as value,
    is_count as is_count,
    is_trading_day as is_trading_day,
    cast(last_hour as int) as last_hour
from all_series
