/* ---
materialized: table
description: One row per flight that was scheduled, with typed times and a cancelled flag.
--- */
select
  make_date(year, month, day) as flight_date,      -- the local day at the airport
  time_hour,                                       -- the scheduled hour, as an instant
  carrier,
  flight,
  tailnum,
  origin,
  dest,
  dep_delay,
  arr_delay,
  air_time,
  distance,
  dep_time is null as is_cancelled
from raw.flights
