-- Every product by what it earned, with its place in the ranking.
--
-- The ABC class compares amounts, not quotients of floating point, so that a
-- product at exactly 80 % is in A.
--
-- writes: full
with
totals as (
    select
        stock_code,
        coalesce(sum(quantity) filter (where kind = 'sale'), 0) as units,
        coalesce(sum(line_amount) filter (where kind = 'sale'), 0) as gross_revenue,
        coalesce(-sum(line_amount) filter (where kind = 'return'), 0)
            as returns_amount,
        count(distinct invoice_no) filter (where kind = 'sale') as orders,
        count(distinct customer_id) filter (where kind = 'sale') as customers
    from silver.transactions
    where line_class = 'product'
    group by stock_code
),

products_sold as (
    select
        *,
        cast(gross_revenue - returns_amount as decimal(28, 4)) as net_revenue
    from totals
),

ranked_products as (
    select
        *,
        row_number() over best_first as revenue_rank,
        row_number() over (order by units desc, stock_code) as units_rank,
        sum(net_revenue) over (
            order by net_revenue desc, stock_code
            rows between unbounded preceding and current row
        ) as revenue_so_far,
        nullif(sum(net_revenue) over (), 0) as revenue_in_all
    from products_sold
    window best_first as (order by net_revenue desc, stock_code)
)
select
    ranked.stock_code as stock_code,
    products.description as description,
    cast(ranked.units as bigint) as units,
    cast(ranked.gross_revenue as decimal(28, 4)) as gross_revenue,
    cast(ranked.returns_amount as decimal(28, 4)) as returns_amount,
    cast(ranked.net_revenue as decimal(28, 4)) as net_revenue,
    cast(ranked.returns_amount as double)
        / nullif(cast(ranked.gross_revenue as double), 0) as return_rate,
    cast(ranked.orders as bigint) as orders,
    cast(ranked.customers as bigint) as customers,
    cast(
        cast(ranked.gross_revenue as decimal(28, 4)) / nullif(ranked.units, 0)
        as decimal(28, 4)
    ) as avg_unit_price,
    cast(ranked.revenue_rank as bigint) as revenue_rank,
    cast(ranked.units_rank as bigint) as units_rank,
    cast(ranked.net_revenue as double)
        / cast(ranked.revenue_in_all as double) as revenue_share,
    cast(ranked.revenue_so_far as double)
        / cast(ranked.revenue_in_all as double) as cumulative_share,
    case
        when ranked.revenue_so_far * 100 <= ranked.revenue_in_all * 80 then 'A'
        when ranked.revenue_so_far * 100 <= ranked.revenue_in_all * 95 then 'B'
        else 'C'
    end as abc_class
from ranked_products as ranked
left join silver.products as products on ranked.stock_code = products.stock_code
