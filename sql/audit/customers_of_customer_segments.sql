-- Customers with features and without a segment, or the other way round, when any
-- customer has one.
select
    coalesce(features.customer_id, members.customer_id) as customer_id,
    members.segment_id
from gold.customer_features as features
full join gold.customer_segments as members
    on features.customer_id = members.customer_id
cross join (select count(*) as members from gold.customer_segments) as counted
where
    counted.members > 0
    and (features.customer_id is null or members.customer_id is null)
