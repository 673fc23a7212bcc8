# Pairs of queries with one normal form. `##` begins a pair and says why, `--` on a line parts it.
## white space, comments and case of keywords
select a, b from raw.t where a > 1
--
SELECT   a,  -- the first
  b
FROM raw.t /* all of it */ WHERE a > 1;
## case and quoting of names
select Carrier from raw."Flights" where "TAILNUM" is null
--
select carrier from RAW.flights where tailnum is null
## table aliases
select f.a from raw.flights as f join raw.planes p on f.x = p.x
--
select g.a from raw.flights g join raw.planes as q on g.x = q.x
## a table's own name instead of an alias
select f.a from raw.flights as f
--
select flights.a from raw.flights
## a table's full name before a column
select raw.flights.a from raw.flights
--
select f.a from raw.flights f
## names of CTEs
with a as (select x from raw.t), b as (select * from a) select b.x from b
--
with first as (select x from raw.t), second as (select * from first) select second.x from second
## aliases of subqueries, also correlated
select t.a from raw.t as t where exists (select 1 from raw.u as u where u.k = t.k)
--
select x.a from raw.t as x where exists (select 1 from raw.u as y where y.k = x.k)
## ref or the plain name
select * from __ref__.flights
--
select * from flights
## a CTE named like the table that it reads
with flights as (select * from flights) select * from flights
--
with f as (select * from flights) select * from f
