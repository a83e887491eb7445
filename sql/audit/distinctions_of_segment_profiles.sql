-- Features named as those that set a segment apart most, when others do so more.
with
distinctions as (
    select
        segment_id,
        unnest(make_array(1, 2, 3)) as place,
        unnest(make_array(distinguishing_1, distinguishing_2, distinguishing_3)) as feature,
        unnest(make_array(difference_1, difference_2, difference_3)) as difference
    from gold.segment_profiles
),

ranked_differences as (
    select
        segment_id as ranked_id,
        feature as ranked_feature,
        difference as ranked_difference,
        row_number() over (
            partition by segment_id
            order by abs(difference) desc, feature
        ) as ranked_place
    from gold.segment_differences
)
select
    distinctions.segment_id,
    distinctions.place,
    distinctions.feature,
    ranked_differences.ranked_feature,
    distinctions.difference,
    ranked_differences.ranked_difference
from distinctions
left join ranked_differences
    on distinctions.segment_id = ranked_differences.ranked_id
    and distinctions.place = ranked_differences.ranked_place
where
    (distinctions.feature is distinct from ranked_differences.ranked_feature)
    or (distinctions.difference is distinct from ranked_differences.ranked_difference)
