-- No header: a view, which costs nothing to keep.
select
  tailnum,
  year as built_year,
  manufacturer,
  model,
  engines,
  seats
from raw.planes
