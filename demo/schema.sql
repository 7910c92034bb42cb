-- trackman-backend: the operational database of golf ball tracking, as its owners keep it.
-- Speeds in m/s, angles in degrees, distances in metres, spin in revolutions per minute.

create table facilities (
  id          integer primary key,
  name        text not null,
  city        text not null,
  country     char(2) not null,
  timezone    text not null,
  opened_on   date not null,
  indoor      boolean not null,
  coordinates double precision[] not null
);
comment on column facilities.coordinates is 'latitude, longitude in degrees (WGS 84)';

create table bays (
  id            integer primary key,
  facility_id   integer not null references facilities,
  number        smallint not null,
  radar_model   text not null,
  calibrated_at timestamptz,
  settings      jsonb not null,
  unique (facility_id, number)
);

create type handedness as enum ('left', 'right');

create table players (
  id         uuid primary key,
  name       text not null,
  email      text not null,
  handicap   numeric(3, 1),
  plays      handedness not null,
  tags       text[] not null,
  created_at timestamptz not null
);

create table sessions (
  id          uuid primary key,
  player_id   uuid references players on delete set null,
  bay_id      integer not null references bays,
  started_at  timestamptz not null,
  ended_at    timestamptz,
  local_start timestamp not null,
  booked_for  interval not null,
  notes       text
);
comment on column sessions.local_start is 'wall clock at the facility';

create table shots (
  id           bigint primary key,
  session_id   uuid not null references sessions,
  shot_number  integer not null,
  club         text not null,
  ball_speed   numeric(5, 2) not null,
  club_speed   numeric(5, 2),
  smash_factor numeric(4, 3),
  launch_angle numeric(5, 2),
  spin_rate    integer,
  carry        numeric(6, 2) not null,
  total        numeric(6, 2) not null,
  side         numeric(6, 2) not null,
  hit_at       timestamptz not null,
  raw          jsonb
);
comment on column shots.raw is 'what the radar sent; every 50th shot carries its whole trajectory';
create index on shots (session_id);

-- What the platform is given: a role that may read and decode, and a publication made by the tables' owner.
create role trackman_platform login;
grant rds_replication to trackman_platform;
grant select on all tables in schema public to trackman_platform;
create publication trackman for table facilities, bays, players, sessions, shots
  with (publish_via_partition_root = true);
