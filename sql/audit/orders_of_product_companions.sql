-- Products that are in enough orders and are not in gold.product_companions, or whose
-- orders there are not those of the lines: the orders themselves, their share of all,
-- and the products behind it that each of them has. Every pair counts here, kept or
-- rare, so that none can be lost.
--
-- Products that are paired are numbered, so that those behind a product in its order
-- are counted by its place there; the others come last.
with
companions as (
    select
        stock_code,
        orders,
        support,
        orders_in_pairs + orders_in_rare_pairs as shared_orders,
        row_number() over (order by stock_code) as product_no
    from gold.product_companions
),

lines as (
    select distinct
        invoice_no,
        stock_code as sold_code
    from silver.transactions
    where kind = 'sale' and line_class = 'product'
),

placed_lines as (
    select
        lines.sold_code,
        count(*) over (partition by lines.invoice_no) as products,
        row_number() over (
            partition by lines.invoice_no
            order by companions.product_no desc nulls last, lines.sold_code
        ) as place
    from lines
    left join companions on lines.sold_code = companions.stock_code
),

sold as (
    select
        lines.sold_code,
        count(*) as sold_orders,
        sum(lines.place - 1) as products_behind,
        sum(sum(case when lines.place = 1 then 1 else 0 end)) over () as all_orders,
        max(limits.least_orders) as least_orders
    from gold.product_pair_limits as limits
    cross join placed_lines as lines
    where lines.products between limits.smallest_basket and limits.largest_basket
    group by lines.sold_code
)
select
    coalesce(companions.stock_code, sold.sold_code) as stock_code,
    companions.orders,
    sold.sold_orders,
    companions.support,
    companions.shared_orders,
    sold.products_behind
from sold
full join companions on sold.sold_code = companions.stock_code
where
    (companions.stock_code is null and sold.sold_orders >= sold.least_orders)
    or (companions.stock_code is not null and sold.sold_code is null)
    or sold.sold_orders <> companions.orders
    or companions.orders < sold.least_orders
    or companions.shared_orders <> sold.products_behind
    or companions.support
    <> cast(sold.sold_orders as double) / cast(sold.all_orders as double)
