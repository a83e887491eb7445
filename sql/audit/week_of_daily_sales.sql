-- Days whose seven-day average is not that of their net revenue.
select
    sale_date,
    net_revenue_7d_avg,
    mean
from (
    select
        sale_date,
        net_revenue_7d_avg,
        cast(
            cast(sum(net_revenue) over last_seven_days as decimal(28, 4))
            / count(*) over last_seven_days
            as decimal(28, 4)
        ) as mean
    from gold.daily_sales
    window last_seven_days as (
        order by sale_date
        rows between 6 preceding and current row
    )
) as means
where net_revenue_7d_avg <> mean
