-- Every invoice with its lines added up, by day, customer and country.
--
-- Sums and extremes only: those of the new lines are added to those of the lines
-- before. Lines of later days than any before meet none of these.
--
-- writes: full
-- grows: invoice_date
with
new_invoices as (
    select
        invoice_no,
        invoice_date,
        customer_id,
        country,
        kind,
        count(*) as lines,
        count(*) filter (where kind = 'sale' and line_class = 'product')
            as product_lines,
        sum(quantity) filter (where kind = 'sale' and line_class = 'product')
            as units,
        sum(line_amount) filter (where kind = 'sale' and line_class = 'product')
            as gross_revenue,
        -sum(line_amount) filter (where kind = 'return' and line_class = 'product')
            as returns_amount,
        sum(line_amount) filter (
            where kind <> 'adjustment'
            and not (kind in ('sale', 'return') and line_class = 'product')
        ) as other_charges,
        sum(line_amount) filter (where kind = 'adjustment') as adjustments,
        max(hour) as last_hour,
        min(invoiced_at) filter (where kind = 'sale' and line_class = 'product')
            as first_sold_at
    from new.silver.transactions
    group by invoice_no, invoice_date, customer_id, country, kind
),

all_invoices as (
    select * from old.silver.invoices
    union all by name
    select * from new_invoices
)
select
    invoice_no as invoice_no,
    cast(invoice_date as date) as invoice_date,
    cast(customer_id as bigint) as customer_id,
    country as country,
    kind as kind,
    cast(sum(lines) as bigint) as lines,
    cast(sum(product_lines) as bigint) as product_lines,
    cast(coalesce(sum(units), 0) as bigint) as units,
    cast(coalesce(sum(gross_revenue), 0) as decimal(28, 4)) as gross_revenue,
    cast(coalesce(sum(returns_amount), 0) as decimal(28, 4)) as returns_amount,
    cast(coalesce(sum(other_charges), 0) as decimal(28, 4)) as other_charges,
    cast(coalesce(sum(adjustments), 0) as decimal(28, 4)) as adjustments,
    cast(max(last_hour) as int) as last_hour,
    min(first_sold_at) as first_sold_at
from all_invoices
group by invoice_no, invoice_date, customer_id, country, kind
