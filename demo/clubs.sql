-- The clubs' membership system: members, what they book, and who came in, as its owners keep it. In a database of its
-- own, on the server of trackman-backend; it gives nobody its log.

create schema membership;
set search_path = membership;

create function touch() returns trigger language plpgsql as
$$begin new.updated_at := clock_timestamp(); return new; end$$;

create table members (
  id           bigint primary key,
  club_id      integer not null,
  name         text not null,
  email        text not null,
  tier         text not null check (tier in ('bronze', 'silver', 'gold')),
  monthly_fee  numeric(8, 2) not null,
  joined_on    date not null,
  cancelled_at timestamptz,
  updated_at   timestamptz not null
);
comment on column members.club_id is 'facilities.id of trackman-backend';
comment on column members.cancelled_at is 'the membership ended; the row stays';

create table bookings (
  club_id    integer not null,
  bay_number smallint not null,
  starts_at  timestamptz not null,
  member_id  bigint not null references members,
  minutes    integer not null,
  extras     text[] not null,
  withdrawn  boolean not null default false,
  updated_at timestamptz not null,
  primary key (club_id, bay_number, starts_at)
);

create table visits (
  id         bigint generated always as identity primary key,
  member_id  bigint not null references members,
  entered_at timestamptz not null default now()
);
comment on table visits is 'rows are only added';

create trigger touch before insert or update on members for each row execute function touch();
create trigger touch before insert or update on bookings for each row execute function touch();

insert into members
select i, 1 + i % 12, 'Member ' || i, 'member' || i || '@example.com',
       (array['bronze', 'silver', 'gold'])[1 + i % 3], 29.50 + i % 3 * 20, date '2024-01-01' + (i * 7 % 800)::integer,
       case when i % 20 = 0 then timestamptz '2026-03-01 12:00Z' + make_interval(days => (i % 60)::integer) end
from generate_series(1, 300) as i;

insert into bookings
select 1 + i % 12, 1 + i / 12 % 8, timestamptz '2026-05-01 08:00Z' + make_interval(hours => (i / 96)::integer),
       1 + i * 7 % 300, 30 + i % 3 * 30, case when i % 5 = 0 then array['clubs', 'coach'] else '{}' end, i % 25 = 0
from generate_series(0, 1999) as i;

insert into visits (member_id, entered_at)
select 1 + i * 11 % 300, timestamptz '2026-04-01 07:00Z' + make_interval(mins => i * 13) from generate_series(1, 1000) as i;

analyze;

-- What the platform is given: a role that may read, and that sees when the transactions of others began.
create role trackman_reader login;
grant pg_monitor to trackman_reader;
grant usage on schema membership to trackman_reader;
grant select on all tables in schema membership to trackman_reader;
