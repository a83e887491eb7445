-- In how many orders which products are bought together: the pairs that are kept, and
-- for each product what it has in rarer ones.
--
-- The limits are those of gold/product_pair_limits.csv: orders with fewer or more
-- distinct products do not count at all, and a pair is in so many orders at least.
-- Products in fewer orders cannot reach that and are left out before they are paired.
--
-- A window gives each product of an order the products before it, so that the orders
-- are read once where a join of the orders with themselves would read them twice. It
-- runs over numbers, which are shorter than codes and have the same order.
--
-- A product's rarer pairs with products behind it are one row without a second product;
-- a product without any pair has such a row too, of no orders. The limits stand left of
-- the pairs: a cross join goes over its right side once for each row of its left.
--
-- writes: nothing
with
baskets as (
    select
        invoice_no,
        count(*) as products,
        array_agg(stock_code) as stock_codes
    from (
        select distinct invoice_no, stock_code
        from silver.transactions
        where kind = 'sale' and line_class = 'product'
    ) as lines
    group by invoice_no
),

orders as (
    select
        row_number() over (order by baskets.invoice_no) as order_no,
        count(*) over () as all_orders,
        baskets.stock_codes,
        limits.least_orders
    from baskets
    cross join gold.product_pair_limits as limits
    where baskets.products between limits.smallest_basket and limits.largest_basket
),

lines as (
    select
        order_no,
        all_orders,
        least_orders,
        unnest(stock_codes) as stock_code
    from orders
),

products as (
    select
        stock_code,
        cast(row_number() over (order by stock_code) as int) as product_no,
        count(*) as orders,
        max(all_orders) as all_orders
    from lines
    group by stock_code
    having count(*) >= max(least_orders)
),

numbered_lines as (
    select
        lines.order_no,
        products.product_no
    from lines
    inner join products on lines.stock_code = products.stock_code
),

companions as (
    select
        product_no,
        array_agg(product_no) over (
            partition by order_no
            order by product_no
            rows between unbounded preceding and 1 preceding
        ) as earlier_nos
    from numbered_lines
),

companies as (
    select
        unnest(earlier_nos) as a_no,
        product_no as b_no
    from companions
),

pairs as (
    select
        a_no,
        b_no,
        count(*) as orders
    from companies
    group by a_no, b_no
),

merged_pairs as (
    select
        pairs.a_no as merged_a_no,
        case when pairs.orders >= limits.least_orders then pairs.b_no end as merged_b_no,
        sum(pairs.orders) as orders_both
    from gold.product_pair_limits as limits
    cross join pairs
    group by merged_a_no, merged_b_no
)
select
    a.stock_code as stock_code_a,
    b.stock_code as stock_code_b,
    cast(a.orders as bigint) as orders_a,
    cast(b.orders as bigint) as orders_b,
    cast(coalesce(merged_pairs.orders_both, 0) as bigint) as orders_both,
    cast(a.all_orders as bigint) as all_orders
from products as a
left join merged_pairs on a.product_no = merged_pairs.merged_a_no
left join products as b on merged_pairs.merged_b_no = b.product_no
