-- Products that are not those of the price points, or whose median price is not
-- the mean of the middle two prices of their sale lines.
with
sides as (
    select
        coalesce(products.stock_code, sold.stock_code) as stock_code,
        count(products.stock_code) as product_rows,
        count(sold.stock_code) as price_points,
        count(*) as all_rows,
        min(products.median_price) as median_price,
        sum(sold.sale_lines) as sale_lines,
        sum(case when sold.unit_price < products.median_price then sold.sale_lines else 0 end)
            as cheaper_lines,
        sum(case when sold.unit_price > products.median_price then sold.sale_lines else 0 end)
            as dearer_lines,
        max(case when sold.unit_price < products.median_price and sold.sale_lines > 0 then sold.unit_price end)
            as next_cheaper,
        min(case when sold.unit_price > products.median_price and sold.sale_lines > 0 then sold.unit_price end)
            as next_dearer
    from silver.products as products
    full join silver.price_points as sold on products.stock_code = sold.stock_code
    group by coalesce(products.stock_code, sold.stock_code)
)
select
    stock_code,
    median_price,
    sale_lines,
    cheaper_lines,
    dearer_lines
from sides
where
    product_rows < all_rows
    or price_points < all_rows
    or cheaper_lines * 2 > sale_lines
    or dearer_lines * 2 > sale_lines
    or median_price <> cast(
        (
            case when cheaper_lines * 2 = sale_lines then next_cheaper else median_price end
            + case when dearer_lines * 2 = sale_lines then next_dearer else median_price end
        ) / 2 as decimal(18, 4)
    )
