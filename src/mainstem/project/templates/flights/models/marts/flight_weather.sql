/* ---
materialized: view
description: Each flight with the weather at its airport in the scheduled hour, if it is known.
--- */
select
  f.flight_date,
  f.carrier,
  f.origin,
  f.dest,
  f.dep_delay,
  f.is_cancelled,
  w.wind_speed,
  w.precip,
  w.visib
from marts.fct_flights as f
left join staging.weather as w on w.origin = f.origin and w.time_hour = f.time_hour
