-- The calendar of daily sales, when it is not every day from the first invoice to
-- the last.
select
    days.first_day,
    days.last_day,
    days.all_days,
    seen.first_invoice,
    seen.last_invoice
from (
    select
        min(sale_date) as first_day,
        max(sale_date) as last_day,
        count(*) as all_days
    from gold.daily_sales
) as days
cross join (
    select
        min(invoice_date) as first_invoice,
        max(invoice_date) as last_invoice
    from silver.invoices
) as seen
where
    (days.first_day is distinct from seen.first_invoice)
    or (days.last_day is distinct from seen.last_invoice)
    or days.all_days <> cast(seen.last_invoice - seen.first_invoice as bigint) + 1
