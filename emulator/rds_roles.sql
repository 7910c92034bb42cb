-- What RDS adds to Postgres: its roles, and replication slots for the members of rds_replication. Run as superuser in
-- template1 and postgres, so that databases created later have it too.
--
-- RDS opens the slot functions to rds_replication by a patch of the server. Here functions of the same names and with
-- the same C code take their place, which run with their owner's rights and which only those members may call.
-- What remains different: members cannot open a replication connection (START_REPLICATION), since that takes an
-- attribute which only a superuser can give.

do $$
declare
  slot_function record;
begin
  if not exists (select from pg_roles where rolname = 'rds_superuser') then
    create role rds_superuser nologin;
    create role rds_replication nologin;
    create role rds_password nologin;
    create role rds_iam nologin;
    grant pg_monitor, pg_signal_backend, pg_checkpoint to rds_superuser with admin option;
    grant rds_replication, rds_password, rds_iam to rds_superuser with admin option;
  end if;

  for slot_function in
    select proname as name, oid::regprocedure::text as signature, pg_get_functiondef(oid) as definition
    from pg_proc
    where pronamespace = 'pg_catalog'::regnamespace
      and proname in (
        'pg_create_logical_replication_slot', 'pg_copy_logical_replication_slot', 'pg_drop_replication_slot',
        'pg_replication_slot_advance',
        'pg_logical_slot_get_changes', 'pg_logical_slot_get_binary_changes',
        'pg_logical_slot_peek_changes', 'pg_logical_slot_peek_binary_changes'
      )
  loop
    execute format('alter function %s rename to %I', slot_function.signature, slot_function.name || '_of_superuser');
    execute slot_function.definition;
    execute format('alter function %s security definer', slot_function.signature);
    execute format('revoke execute on function %s from public', slot_function.signature);
    execute format('grant execute on function %s to rds_replication', slot_function.signature);
  end loop;
end
$$;
