-- Sales of each country, the unknown one included.
--
-- writes: full
with
totals as (
    select
        coalesce(country, 'Unspecified') as country,
        count(distinct invoice_no)
            filter (where kind = 'sale' and line_class = 'product') as orders,
        count(*) filter (where kind = 'sale' and line_class = 'product') as lines,
        coalesce(
            sum(quantity) filter (where kind = 'sale' and line_class = 'product'),
            0
        ) as units,
        coalesce(
            sum(line_amount)
                filter (where kind = 'sale' and line_class = 'product'),
            0
        ) as gross_revenue,
        coalesce(
            -sum(line_amount)
                filter (where kind = 'return' and line_class = 'product'),
            0
        ) as returns_amount,
        coalesce(
            sum(line_amount) filter (
                where kind <> 'adjustment'
                and not (kind in ('sale', 'return') and line_class = 'product')
            ),
            0
        ) as other_charges,
        count(distinct customer_id)
            filter (where kind = 'sale' and line_class = 'product') as customers,
        count(distinct stock_code)
            filter (where kind = 'sale' and line_class = 'product') as products
    from silver.transactions
    group by coalesce(country, 'Unspecified')
),

countries as (
    select
        *,
        cast(gross_revenue - returns_amount as decimal(28, 4)) as net_revenue
    from totals
)
select
    country as country,
    cast(orders as bigint) as orders,
    cast(lines as bigint) as lines,
    cast(units as bigint) as units,
    cast(gross_revenue as decimal(28, 4)) as gross_revenue,
    cast(returns_amount as decimal(28, 4)) as returns_amount,
    cast(net_revenue as decimal(28, 4)) as net_revenue,
    cast(other_charges as decimal(28, 4)) as other_charges,
    cast(customers as bigint) as customers,
    cast(products as bigint) as products,
    cast(
        cast(gross_revenue as decimal(28, 4)) / nullif(orders, 0)
        as decimal(28, 4)
    ) as aov,
    cast(net_revenue / nullif(customers, 0) as decimal(28, 4))
        as revenue_per_customer,
    cast(net_revenue as double)
        / nullif(cast(sum(net_revenue) over () as double), 0) as revenue_share,
    cast(
        row_number() over (order by net_revenue desc, country) as bigint
    ) as revenue_rank
from countries
