# Pairs of queries with different normal forms. `##` begins a pair, `--` on a line parts it.
## another column
select a from raw.t
--
select b from raw.t
## another name for a column
select a as b from raw.t
--
select a as c from raw.t
## the case of a column's new name, which the table keeps
select a as Total from raw.t
--
select a as total from raw.t
## which of two relations a column is of
select x.k from raw.t as x, raw.t as y
--
select y.k from raw.t as x, raw.t as y
## an alias that moves to the other table
select x.k from raw.t as x, raw.u as y
--
select x.k from raw.u as x, raw.t as y
## text and number
select '1' as a
--
select 1 as a
## the case of text
select 'A' as a
--
select 'a' as a
## kind of join
select * from a join b using (k)
--
select * from a left join b using (k)
## union and union all
select 1 as a union select 2
--
select 1 as a union all select 2
## distinct
select a from t
--
select distinct a from t
## a whole row by its alias
select f from a as f, b as g
--
select f from a as g, b as f
## a CTE in place of a table
with t as (select 1 as a) select * from t
--
select * from t
## a ref that a CTE of that name must not catch
with x as (select 1 as a) select * from x, __ref__.x
--
with x as (select 1 as a) select * from x, x as y
## names given to a subquery's columns
select * from (select 1, 2) as v(a, b)
--
select * from (select 1, 2) as v(b, a)
## order of nulls
select a from t order by a nulls first limit 1
--
select a from t order by a nulls last limit 1
## brackets
select a + b * c as x from t
--
select (a + b) * c as x from t
