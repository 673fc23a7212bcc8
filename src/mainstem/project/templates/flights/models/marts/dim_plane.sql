select
  tailnum,
  manufacturer,
  model,
  built_year,
  seats,
  engines
from staging.planes
