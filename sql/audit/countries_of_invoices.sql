-- Countries that are not those of the invoices.
select
    coalesce(sales.country, seen.country) as country,
    sales.country is not null as is_in_sales
from gold.country_sales as sales
full join (
    select distinct coalesce(country, 'Unspecified') as country
    from silver.invoices
) as seen on sales.country = seen.country
where sales.country is null or seen.country is null
