-- How many customers moved from segment to segment since the publication before.
--
-- Without one there are no moves.
--
-- writes: full
with
last_members as (
    select
        customer_id as last_customer_id,
        segment_id as last_segment_id,
        segment_name as last_segment_name
    from last.gold.customer_segments
),

moves as (
    select
        last_members.last_segment_id,
        last_members.last_segment_name,
        members.segment_id,
        members.segment_name,
        count(*) as customers
    from gold.customer_segments as members
    full join last_members on members.customer_id = last_members.last_customer_id
    group by
        last_members.last_segment_id,
        last_members.last_segment_name,
        members.segment_id,
        members.segment_name
)
select
    cast(moves.last_segment_id as bigint) as from_segment_id,
    moves.last_segment_name as from_segment_name,
    cast(moves.segment_id as bigint) as to_segment_id,
    moves.segment_name as to_segment_name,
    cast(moves.customers as bigint) as customers
from moves
cross join (select count(*) as customers from last_members) as published
where published.customers > 0
