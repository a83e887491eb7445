-- Segments that moves call by two names, before or now, or now by another than their
-- customers.
select
    from_segment_id as segment_id,
    min(from_segment_name) as segment_name,
    max(from_segment_name) as other_segment_name
from gold.segment_migrations
group by from_segment_id
having count(distinct from_segment_name) > 1
union all
select
    to_segment_id,
    min(to_segment_name),
    max(to_segment_name)
from (
    select to_segment_id, to_segment_name from gold.segment_migrations
    union all
    select segment_id, segment_name from gold.customer_segments
) as named
group by to_segment_id
having count(distinct to_segment_name) > 1
