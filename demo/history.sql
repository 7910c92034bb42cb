-- A deterministic, plausible history of current_setting('demo.shots') shots: the same number gives the same rows.

-- Uniform in [0, 1), a pure function of a row's number and the salt of the value drawn.
create function pg_temp.u(n bigint, salt integer) returns double precision
  language sql immutable return (hashint8extended(n, salt) & 2147483647)::double precision / 2147483648;

-- About normal with mean 0 and standard deviation 1.
create function pg_temp.z(n bigint, salt integer) returns double precision
  language sql immutable
  return (pg_temp.u(n, salt) + pg_temp.u(n, salt + 1) + pg_temp.u(n, salt + 2) - 1.5) * 2;

create function pg_temp.uuid_of(kind text, n bigint) returns uuid
  language sql immutable return md5(kind || n)::uuid;

insert into facilities
select i, 'Trackman Range ' || c.city, c.city, c.country, c.timezone, date '2015-03-01' + (i * 97),
       i % 3 = 0, array[c.latitude, c.longitude]
from (values (1, 'Copenhagen', 'DK', 'Europe/Copenhagen', 55.676, 12.568),
             (2, 'Aarhus', 'DK', 'Europe/Copenhagen', 56.157, 10.211),
             (3, 'Stockholm', 'SE', 'Europe/Stockholm', 59.329, 18.069),
             (4, 'Oslo', 'NO', 'Europe/Oslo', 59.914, 10.752),
             (5, 'Berlin', 'DE', 'Europe/Berlin', 52.52, 13.405),
             (6, 'London', 'GB', 'Europe/London', 51.507, -0.128),
             (7, 'St Andrews', 'GB', 'Europe/London', 56.34, -2.795),
             (8, 'Madrid', 'ES', 'Europe/Madrid', 40.417, -3.704),
             (9, 'Scottsdale', 'US', 'America/Phoenix', 33.494, -111.926),
             (10, 'Orlando', 'US', 'America/New_York', 28.538, -81.379),
             (11, 'Seoul', 'KR', 'Asia/Seoul', 37.566, 126.978),
             (12, 'Tokyo', 'JP', 'Asia/Tokyo', 35.676, 139.65)) as c (i, city, country, timezone, latitude, longitude);

insert into bays
select (f.id - 1) * 8 + n, f.id, n, case when f.indoor then 'iO' else 'TM4' end,
       timestamptz '2026-03-15 06:00Z' + make_interval(hours => f.id * 8 + n),
       jsonb_build_object('ball', case when n % 2 = 0 then 'premium' else 'range' end, 'altitude', f.id * 10)
from facilities f, generate_series(1, 8) as n;

insert into players
select pg_temp.uuid_of('player', i), 'Player ' || i, 'player' || i || '@example.com',
       case when i % 7 = 0 then null else round((pg_temp.u(i, 1) * 36)::numeric, 1) end,
       (case when pg_temp.u(i, 2) < 0.09 then 'left' else 'right' end)::handedness,
       case when i % 5 = 0 then array['junior', 'coach''s pick'] when i % 3 = 0 then array['member'] else '{}' end,
       timestamptz '2025-01-01 00:00Z' + make_interval(mins => (pg_temp.u(i, 3) * 600000)::integer)
from generate_series(1, 20 + current_setting('demo.shots')::bigint / 400) as i;

insert into sessions
select pg_temp.uuid_of('session', i), pg_temp.uuid_of('player', 1 + (pg_temp.u(i, 4) * (p.n - 1))::bigint), b.id,
       s.started_at, s.started_at + make_interval(mins => 20 + (pg_temp.u(i, 5) * 70)::integer),
       s.started_at at time zone f.timezone, make_interval(mins => 30 * (1 + (i % 3)::integer)),
       case when i % 11 = 0 then 'wind from the left, "gusty"' end
from generate_series(1, 1 + current_setting('demo.shots')::bigint / 40) as i
     cross join (select count(*) as n from players) as p
     cross join lateral (select timestamptz '2026-04-01 05:00Z'
                     + make_interval(days => (pg_temp.u(i, 6) * 180)::integer, secs => pg_temp.u(i, 7) * 54000) as started_at) as s
     join bays b on b.id = 1 + (pg_temp.u(i, 8) * 95)::integer
     join facilities f on f.id = b.facility_id;

insert into shots
select i, pg_temp.uuid_of('session', 1 + (i - 1) / 40), 1 + (i - 1) % 40, c.club, m.ball_speed,
       case when i % 29 > 0 then round(m.ball_speed / m.smash, 2) end,
       case when i % 29 > 0 then m.smash end,
       round((c.launch + pg_temp.z(i, 20) * 2)::numeric, 2), (c.spin * (1 + pg_temp.z(i, 30) * 0.1))::integer,
       m.carry, round(m.carry * (1.02 + pg_temp.u(i, 40) * 0.06)::numeric, 2), round((pg_temp.z(i, 50) * c.carry * 0.05)::numeric, 2),
       s.started_at + make_interval(secs => ((i - 1) % 40) * 27 + pg_temp.u(i, 60) * 20),
       case when i % 50 = 0
         then jsonb_build_object('radar', 'TM4', 'trajectory', (
           select jsonb_agg(jsonb_build_array(round((t / 50.0)::numeric, 2), round((pg_temp.u(i * 400 + t, 70) * 200)::numeric, 6),
                                              round((pg_temp.u(i * 400 + t, 71) * 30)::numeric, 6)) order by t)
           from generate_series(1, 240) as t))
         else jsonb_build_object('radar', 'TM4', 'quality', round(pg_temp.u(i, 80)::numeric, 3)) end
from generate_series(1, current_setting('demo.shots')::bigint) as i
     join sessions s on s.id = pg_temp.uuid_of('session', 1 + (i - 1) / 40)
     join (values (0, 'driver', 67.0, 1.46, 12.0, 2700, 215), (1, '3-wood', 62.0, 1.44, 12.5, 3600, 195),
                  (2, '5-iron', 53.0, 1.38, 15.0, 5200, 160), (3, '7-iron', 48.0, 1.34, 18.0, 6700, 142),
                  (4, '9-iron', 43.0, 1.28, 22.5, 8200, 122), (5, 'pitching wedge', 40.0, 1.23, 26.0, 9100, 108))
          as c (slot, club, speed, smash, launch, spin, carry) on c.slot = i % 6
     cross join lateral (select round((c.speed * (1 + pg_temp.z(i, 10) * 0.06))::numeric, 2) as ball_speed,
                     round((c.smash + pg_temp.z(i, 13) * 0.03)::numeric, 3) as smash,
                     round((c.carry * (1 + pg_temp.z(i, 10) * 0.07 + pg_temp.z(i, 16) * 0.03))::numeric, 2) as carry) as m;

analyze;
