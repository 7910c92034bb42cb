/*---
description: One row a facility and hour in which a bay was in use. A session counts once it has ended.
owner: data-engineering
key: [facility_id, hour]
tables:
  sessions: >-
    SELECT bays.facility_id, hour
    FROM (SELECT * FROM changed WHERE ended_at > started_at) AS changed
    JOIN bays ON bays.id = changed.bay_id
    LATERAL VIEW explode(sequence(
      date_trunc('hour', changed.started_at), CAST(changed.ended_at AS timestamp), INTERVAL '1' HOUR)) AS hour
  bays: >-
    SELECT changed.facility_id, hour
    FROM changed
    JOIN bays ON bays.facility_id = changed.facility_id
    JOIN (SELECT * FROM sessions WHERE ended_at > started_at) AS sessions ON sessions.bay_id = bays.id
    LATERAL VIEW explode(sequence(
      date_trunc('hour', sessions.started_at), CAST(sessions.ended_at AS timestamp), INTERVAL '1' HOUR)) AS hour
columns:
  - { name: facility_id, type: int, description: Facility. }
  - { name: hour, type: timestamp, description: Begin of the hour in UTC. }
  - { name: sessions, type: long, description: Sessions that were on. }
  - { name: bays_used, type: long, description: Bays that they were in. }
  - { name: bays, type: long, description: Bays that the facility has. }
  - { name: used, type: "decimal(16,6)", unit: s, description: "Time that bays were in use, added up." }
  - { name: utilisation, type: "decimal(12,6)", description: "Share of the bays’ time; above 1 where sessions overlap." }
---*/
WITH played AS (
  SELECT
    bays.facility_id,
    sessions.id,
    sessions.bay_id,
    hour,
    least(CAST(sessions.ended_at AS timestamp), hour + INTERVAL '1' HOUR)
      - greatest(CAST(sessions.started_at AS timestamp), hour) AS time
  FROM (SELECT * FROM sessions WHERE ended_at > started_at) AS sessions
  JOIN bays ON bays.id = sessions.bay_id
  LATERAL VIEW explode(sequence(
    date_trunc('hour', sessions.started_at), CAST(sessions.ended_at AS timestamp), INTERVAL '1' HOUR)) AS hour
),
used AS (
  SELECT
    facility_id,
    hour,
    count(*) AS sessions,
    count(DISTINCT bay_id) AS bays_used,
    sum(extract(HOUR FROM time) * 3600 + extract(MINUTE FROM time) * 60 + extract(SECOND FROM time)) AS used
  FROM played
  GROUP BY facility_id, hour
),
equipped AS (
  SELECT facility_id, count(*) AS bays FROM bays GROUP BY facility_id
)
SELECT
  used.facility_id,
  used.hour,
  used.sessions,
  used.bays_used,
  equipped.bays,
  used.used,
  used.used / (3600 * equipped.bays) AS utilisation
FROM used
JOIN equipped ON equipped.facility_id = used.facility_id
