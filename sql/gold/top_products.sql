-- Every product by what it earned, with its place in the ranking.
--
-- The ABC class compares amounts, not quotients of floating point, so that a
-- product at exactly 80 % is in A.
--
-- Orders and customers are counted on: to the numbers of the table as it was come
-- the orders and the customers of new lines that no earlier line of the product has.
-- The joins stand small table first: it is the one that is held in memory.
--
-- writes: full
with
-- What orders of new lines held before. Their days are compared so that files of
-- other days need not be read.
known_orders as (
    select
        known.stock_code,
        known.invoice_no
    from (
        select distinct
            days.invoice_no,
            days.invoice_date
        from (
            select distinct invoice_no
            from new.silver.transactions
            where kind = 'sale'
        ) as orders
        inner join silver.invoices as days
            on orders.invoice_no = days.invoice_no
    ) as order_days
    inner join old.silver.transactions as known
        on order_days.invoice_no = known.invoice_no
        and order_days.invoice_date = known.invoice_date
),

new_orders as (
    select
        sales.stock_code,
        count(distinct sales.invoice_no) as orders,
        0 as customers
    from (
        select stock_code, invoice_no
        from new.silver.transactions
        where kind = 'sale' and line_class = 'product'
    ) as sales
    left anti join known_orders
        on sales.stock_code = known_orders.stock_code
        and sales.invoice_no = known_orders.invoice_no
    group by sales.stock_code
),

new_buyers as (
    select
        sales.stock_code,
        0 as orders,
        count(distinct sales.customer_id) as customers
    from (
        select stock_code, customer_id
        from new.silver.transactions
        where
            kind = 'sale'
            and line_class = 'product'
            and customer_id is not null
    ) as sales
    left anti join old.silver.transactions as known
        on sales.stock_code = known.stock_code
        and sales.customer_id = known.customer_id
        and known.kind = 'sale'
    group by sales.stock_code
),

counts as (
    select
        stock_code,
        sum(orders) as orders,
        sum(customers) as customers
    from (
        select stock_code, orders, customers from old.gold.top_products
        union all
        select stock_code, orders, customers from new_orders
        union all
        select stock_code, orders, customers from new_buyers
    ) as parts
    group by stock_code
),

amounts as (
    select
        stock_code,
        sum(units) as units,
        sum(units * unit_price) as gross_revenue,
        sum(returned_units * unit_price) as returns_amount
    from silver.price_points
    where line_class = 'product'
    group by stock_code
),

totals as (
    select
        amounts.*,
        coalesce(counts.orders, 0) as orders,
        coalesce(counts.customers, 0) as customers
    from amounts
    left join counts on amounts.stock_code = counts.stock_code
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
