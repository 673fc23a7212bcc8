select
  f.carrier,
  a.airline,
  d.month,
  count(*) as flights,
  count(*) filter (where f.is_cancelled) as cancelled,
  avg(f.dep_delay) as mean_dep_delay,
  avg(f.arr_delay) as mean_arr_delay
from marts.fct_flights as f
join marts.dim_date as d on d.day = f.flight_date
left join marts.dim_airline as a on a.carrier = f.carrier
group by f.carrier, a.airline, d.month
