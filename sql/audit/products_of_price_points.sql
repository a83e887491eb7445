-- Products that are not those of the price points, or whose median price does not
-- part their sale lines into halves.
select
    coalesce(products.stock_code, sold.stock_code) as stock_code,
    min(products.median_price) as median_price,
    sum(sold.sale_lines) as sale_lines
from silver.products as products
full join silver.price_points as sold on products.stock_code = sold.stock_code
group by coalesce(products.stock_code, sold.stock_code)
having
    count(products.stock_code) < count(*)
    or count(sold.stock_code) < count(*)
    or coalesce(sum(case when sold.unit_price < products.median_price then sold.sale_lines end), 0) * 2
        > sum(sold.sale_lines)
    or coalesce(sum(case when sold.unit_price > products.median_price then sold.sale_lines end), 0) * 2
        > sum(sold.sale_lines)
