-- Segments whose customers are not those who moved into them or stayed, when there are
-- any moves.
select
    coalesce(moved.segment_id, members.segment_id) as segment_id,
    moved.customers as moved_customers,
    members.customers as customers
from (
    select
        to_segment_id as segment_id,
        sum(customers) as customers
    from gold.segment_migrations
    where to_segment_id is not null
    group by to_segment_id
) as moved
full join (
    select
        segment_id,
        count(*) as customers
    from gold.customer_segments
    group by segment_id
) as members on moved.segment_id = members.segment_id
cross join (select count(*) as moves from gold.segment_migrations) as counted
where
    counted.moves > 0
    and (moved.customers is distinct from members.customers)
