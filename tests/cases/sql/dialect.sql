# Queries that DuckDB takes, one a line; see test_dialect.py.
select * from raw.t asof join raw.u on t.a=u.a and t.ts>=u.ts
select * from raw.t asof left join raw.u using (a, ts)
select * from raw.t positional join raw.u
select x: a, b from raw.t
pivot raw.t on b using sum(a)
unpivot raw.u on a, c into name k value v
select * from (pivot raw.t on b using sum(a) group by d)
from (from raw.t select a) select a+1 as b
select a, count(*) from raw.t group by grouping sets ((a),())
select a, count(*) from raw.t group by rollup(a)
select a, count(*) from raw.t group by cube(a)
select * exclude (a) from raw.t
select * exclude a from raw.t
select * replace (a+1 as a) from raw.t
select * rename (a as aa) from raw.t
select columns('a|b') from raw.t
select min(columns(*)) from raw.u
select * like 'a%' from raw.t
select a.b from (select {'b':1} as a)
select s.x, s['y'], s.* from raw.t
select m['k'], m.k from raw.t
select j->>'$.q', j->'q', j.q from raw.t
select l[1], l[-1], l[1:2], l[:] from raw.t
select [x*2 for x in l if x>0] from raw.t
select list_transform(l, lambda x: x+1) from raw.t
select unnest(l), unnest(s) from raw.t
select unnest(s, recursive := true) from raw.t
select a, sum(a) over (order by d rows between 3 preceding and current row exclude current row) from raw.t
select a, first_value(a ignore nulls) over w from raw.t window w as (partition by b order by d)
select a from raw.t qualify row_number() over (partition by b)=1
select count(*) filter (where a>1) from raw.t
select arg_max(b, a), max(a, 2), max_by(b,a) from raw.t
select string_agg(b, ',' order by a desc) from raw.t
select quantile_cont(a, [0.1,0.5]) from raw.t
select percentile_cont(0.5) within group (order by a) from raw.t
select a::int, try_cast(b as int), cast(a as decimal(10,2)) from raw.t
select d + interval 1 day, d + interval '1 day', d - interval (a) month, date_trunc('month', d), date_diff('day', d, d) from raw.t
select extract(epoch from ts), extract('year' from d), date_part(['year','month'], d) from raw.t
select a // 2, a % 2, a ** 2, a ^ 2, a << 1, a & 1, ~a from raw.t
select b || 'x', b ~ 'x', b !~ 'x', b similar to 'x', b ilike 'x', b glob 'x*', b not like 'x' from raw.t
select struct_pack(x := 1), row(1,2), {'a': 1}, map {'a': 1}, [1,2], array[1,2], (1,2)
select * from generate_series(1,10), range(5), unnest([1,2])
select * from range(5) r(n)
select * from (values (1,2),(3,4)) v(a,b)
select * from raw.t, lateral (select a+1 as z)
select * from raw.t cross join lateral (select a+1 as z) q
select * from raw.t natural join raw.u
select * from raw.t semi join raw.u using (a)
select * from raw.t anti join raw.u on t.a=u.a
select * from raw.t full outer join raw.u using (a)
select a from raw.t union select a from raw.u
select a from raw.t union all by name select c from raw.u
select a from raw.t intersect all select a from raw.u
select a from raw.t except select a from raw.u order by 1 limit 3
with x as materialized (select 1 as a) select * from x
with recursive x(n) as (select 1 union all select n+1 from x where n<3) select * from x
with recursive x(n) using key (n) as (select 1 union select n+1 from x where n<3) select * from x
select exists(from raw.u), (from raw.u select max(a)), a in (from raw.u select a) from raw.t
select a = any(l), a > all(select a from raw.u) from raw.t
select distinct on (b) a, b from raw.t order by b, a
select a from raw.t order by a nulls last limit 10 offset 2
select a from raw.t limit 10%
select a from raw.t using sample 10 rows
select a from raw.t tablesample reservoir(10)
select * from raw.t where a in (1,2) and b is not null and not (d > current_date)
select date '2020-01-01', timestamp '2020-01-01', timestamptz '2020-01-01', time '10:00', interval '1' year, uuid '00000000-0000-0000-0000-000000000000', blob 'x'
select ts at time zone 'UTC' from raw.t
select #1 from raw.t
select t from raw.t
select t.* from raw.t
select raw.t.a from raw.t
select b.upper().lower() from raw.t
select a as "select", b as "My Col" from raw.t
select a from raw.t group by all order by all
select sum(a) as s from raw.t having s > 0
select a+1 as x, x*2 as y from raw.t where x > 0
select histogram(a), approx_quantile(a, 0.5), bit_and(a) from raw.t
select coalesce(a, 0), nullif(a, 1), greatest(a,2), least(a,2) from raw.t
select position('x' in b), substring(b from 1 for 2), trim(both 'x' from b), overlay(b placing 'z' from 1) from raw.t
select regexp_extract(b, '(x)', 1), regexp_replace(b,'x','y','g'), regexp_matches(b,'x') from raw.t
select json_extract(j,'$.q'), j->>'q', json_extract_string(j,['$.q']) from raw.t
select a from raw.t where (a,b) in ((1,'x'))
select a from raw.t where a in (select a from raw.u) and exists (select 1 from raw.u where u.a=t.a)
select (select max(c) from raw.u where u.a=t.a) from raw.t
select try(a/0) from raw.t
select a from raw.t -- c
select /* x */ a from raw.t;
select 'a' as "x y", b collate nocase from raw.t
select format('{} {}', a, b), printf('%d', a) from raw.t
select variant_typeof(a::variant) from raw.t
select cast(s as struct(x bigint, y varchar)) from raw.t
select grouping(a), grouping_id(a) from raw.t group by a
select nth_value(a, 2) over (), lead(a, 1, 0) over (order by a), cume_dist() over (order by a) from raw.t
select count(distinct a), count(a), count() from raw.t
select strftime(d, '%Y'), strptime(b, '%Y') from raw.t where false
select epoch_ms(ts), to_timestamp(1), make_date(2020,1,1), age(ts), last_day(d), time_bucket(interval 1 day, ts) from raw.t
select is_x from (select a>1 as is_x from raw.t) where is_x
table raw.t
(select a from raw.t) union all (select a from raw.u)
select a from (raw.t join raw.u using (a))
select t1.a from raw.t t1 join raw.u t2 on t1.a=t2.a and t2.c in (1,2)
from raw.t
from raw.t where a > 1
select a, * from raw.u
select *, a+1 as a1 from raw.t
select u.*, t.b from raw.t join raw.u using (a)
select list_transform(l, lambda x: x + 1) as y from raw.t
select list_filter(l, lambda x: x > a) as y, [x * a for x in l if x > 0] as z from raw.t
