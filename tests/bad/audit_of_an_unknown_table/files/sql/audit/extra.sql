-- The layer is not said.
select customer_id
from rfm
where segment is null
