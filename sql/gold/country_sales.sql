-- Sales of each country, the unknown one included.
--
-- writes: full
with
totals as (
    select
        coalesce(country, 'Unspecified') as country,
        count(distinct invoice_no) filter (where product_lines > 0) as orders,
        sum(product_lines) as lines,
        sum(units) as units,
        sum(gross_revenue) as gross_revenue,
        sum(returns_amount) as returns_amount,
        sum(other_charges) as other_charges,
        count(distinct customer_id) filter (where product_lines > 0) as customers
    from silver.invoices
    group by coalesce(country, 'Unspecified')
),

assortments as (
    select
        coalesce(country, 'Unspecified') as assorted_country,
        count(distinct stock_code) as products
    from silver.price_points
    where line_class = 'product' and sale_lines > 0
    group by coalesce(country, 'Unspecified')
),

countries as (
    select
        totals.*,
        coalesce(products, 0) as products_sold,
        cast(gross_revenue - returns_amount as decimal(28, 4)) as net_revenue
    from totals
    left join assortments on totals.country = assortments.assorted_country
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
    cast(products_sold as bigint) as products,
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
