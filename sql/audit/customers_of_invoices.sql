-- Customers who are not those of the invoices, or were not seen on their days.
select
    coalesce(customers.customer_id, seen.customer_id) as customer_id,
    customers.first_seen,
    seen.first_seen as first_invoice,
    customers.last_seen,
    seen.last_seen as last_invoice
from silver.customers as customers
full join (
    select
        customer_id,
        min(invoice_date) as first_seen,
        max(invoice_date) as last_seen
    from silver.invoices
    where customer_id is not null
    group by customer_id
) as seen on customers.customer_id = seen.customer_id
where
    (customers.first_seen is distinct from seen.first_seen)
    or (customers.last_seen is distinct from seen.last_seen)
