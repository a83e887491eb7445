-- Lines of an invoice, paired.
--
-- writes: full
select cast(a.invoice_no as text) as invoice_no
from silver.transactions_judged as a
inner join silver.transactions_judged as b on a.invoice_no = b.invoice_no
